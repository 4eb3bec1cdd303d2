//! The flags that say how a text is continued, shared by `generate` and `write`. The defaults are [`Settings`]' own.

use std::num::{NonZeroU32, NonZeroUsize};

use clap::Args;
use ovid_bpe::Tokenizer;
use ovid_generate::Settings;
use ovid_generate::sampling::{
    AtEndOfText, Beams, Bias, LengthPenalty, LogitBias, MinP, Phrase, RepetitionPenalty, Temperature, TopK, TopP, TopPRule, TypicalP,
};

use crate::failure::Failure;

/// How the next token is chosen, and when the text ends.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingFlags {
    /// Divide the logits by this; 0 takes the most probable token always [default: 1]
    #[arg(long, short = 't', value_name = "T")]
    temperature: Option<Temperature>,
    /// Keep the K most probable tokens; 0 keeps all [default: 40]
    #[arg(long, short = 'k', value_name = "K")]
    top_k: Option<u32>,
    /// Keep the smallest set of tokens whose probability reaches P
    #[arg(long, short = 'p', value_name = "P")]
    top_p: Option<TopP>,
    /// Drop tokens less probable than P times the most probable one
    #[arg(long, value_name = "P")]
    min_p: Option<MinP>,
    /// Keep the tokens whose surprise is nearest to the expected one, up to this probability
    #[arg(long, value_name = "P")]
    typical_p: Option<TypicalP>,
    /// Make every token that occurred less probable; 1 changes nothing
    #[arg(long, value_name = "X")]
    repetition_penalty: Option<RepetitionPenalty>,
    /// Take this from the score of each new token that occurred
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    presence_penalty: Option<Bias>,
    /// Take this from the score of each new token for every time that it occurred
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    frequency_penalty: Option<Bias>,
    /// Never write the same N tokens in a row twice; 0 turns it off
    #[arg(long, value_name = "N")]
    no_repeat_ngram: Option<usize>,
    /// Add to the score of a token (its id) or of a text: --logit-bias 50256=-5 --logit-bias " dog=3"
    #[arg(long, value_name = "ID|TEXT=X")]
    logit_bias: Vec<String>,
    /// Never write this, at the start of a word or within one
    #[arg(long, value_name = "TEXT")]
    ban: Vec<String>,
    /// Search with this many beams instead of drawing
    #[arg(long, value_name = "N")]
    beams: Option<NonZeroUsize>,
    /// The power of the length by which a beam's score is divided; above 0 favours long texts [default: 1]
    #[arg(long, value_name = "X", requires = "beams", allow_negative_numbers = true)]
    length_penalty: Option<LengthPenalty>,
    /// Read top-p and end-of-text as the code released with GPT-2 in 2019 did: one token fewer, and never stop
    #[arg(long)]
    original: bool,
    /// The most new tokens [default: 256]
    #[arg(long, short = 'l', value_name = "N")]
    max_tokens: Option<usize>,
    /// The fewest new tokens before the text may end
    #[arg(long, value_name = "N")]
    min_tokens: Option<usize>,
    /// End the text before this string; may be given again
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on with another text after end-of-text
    #[arg(long)]
    ignore_end: bool,
}

impl SamplingFlags {
    /// The settings that the flags mean, with texts as this tokenizer's tokens.
    pub fn settings(&self, tokenizer: &Tokenizer) -> Result<Settings, Failure> {
        let default = Settings::default();
        let beams = self.beams.map(|n| {
            let beams = Beams::new(n);
            Beams { length_penalty: self.length_penalty.unwrap_or(beams.length_penalty), ..beams }
        });
        Ok(Settings {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_k: self.top_k.map_or(default.top_k, |k| NonZeroU32::new(k).map(TopK)),
            top_p: self.top_p,
            top_p_rule: if self.original { TopPRule::Original } else { TopPRule::Nucleus },
            min_p: self.min_p,
            typical_p: self.typical_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            no_repeat_ngram: self.no_repeat_ngram.and_then(NonZeroUsize::new),
            logit_bias: self.logit_bias.iter().map(|b| logit_bias(b, tokenizer)).collect::<Result<_, _>>()?,
            banned: self.ban.iter().map(|text| banned(text, tokenizer)).collect::<Result<Vec<_>, _>>()?.concat(),
            min_tokens: self.min_tokens.unwrap_or(default.min_tokens),
            max_tokens: self.max_tokens.unwrap_or(default.max_tokens),
            stop: self.stop.clone(),
            at_end_of_text: if self.original || self.ignore_end { AtEndOfText::GoOn } else { AtEndOfText::Stop },
            beams,
        })
    }

    /// No flag but the length.
    pub fn with_max_tokens(n: usize) -> Self {
        Self { max_tokens: Some(n), ..Self::default() }
    }

    /// These flags, with those of `newer` that were given in their place; lists grow.
    #[must_use]
    pub fn changed_by(self, newer: Self) -> Self {
        Self {
            temperature: newer.temperature.or(self.temperature),
            top_k: newer.top_k.or(self.top_k),
            top_p: newer.top_p.or(self.top_p),
            min_p: newer.min_p.or(self.min_p),
            typical_p: newer.typical_p.or(self.typical_p),
            repetition_penalty: newer.repetition_penalty.or(self.repetition_penalty),
            presence_penalty: newer.presence_penalty.or(self.presence_penalty),
            frequency_penalty: newer.frequency_penalty.or(self.frequency_penalty),
            no_repeat_ngram: newer.no_repeat_ngram.or(self.no_repeat_ngram),
            logit_bias: [self.logit_bias, newer.logit_bias].concat(),
            ban: [self.ban, newer.ban].concat(),
            beams: newer.beams.or(self.beams),
            length_penalty: newer.length_penalty.or(self.length_penalty),
            original: newer.original || self.original,
            max_tokens: newer.max_tokens.or(self.max_tokens),
            min_tokens: newer.min_tokens.or(self.min_tokens),
            stop: [self.stop, newer.stop].concat(),
            ignore_end: newer.ignore_end || self.ignore_end,
        }
    }
}

fn logit_bias(given: &str, tokenizer: &Tokenizer) -> Result<LogitBias, Failure> {
    let wrong = || Failure::input(format!("--logit-bias '{given}' is not of the form ID=X or TEXT=X"));
    let (what, number) = given.rsplit_once('=').ok_or_else(wrong)?;
    let bias: Bias = number.parse()?;
    let ids = match what.parse() {
        Ok(id) => vec![id],
        Err(_) => tokenizer.encode(what.as_bytes()),
    };
    Ok(LogitBias { ids: Phrase::new(ids).map_err(|_| wrong())?, bias })
}

/// A text as it may come: within a word, and at its start, where byte-level BPE has other tokens.
fn banned(text: &str, tokenizer: &Tokenizer) -> Result<Vec<Phrase>, Failure> {
    let spellings = [text.to_string(), format!(" {text}")];
    let phrases = spellings.iter().take(if text.starts_with(char::is_whitespace) { 1 } else { 2 });
    Ok(phrases.map(|t| Phrase::new(tokenizer.encode(t.as_bytes()))).collect::<Result<_, _>>()?)
}
