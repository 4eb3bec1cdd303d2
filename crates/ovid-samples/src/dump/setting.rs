//! How the tokens of a dump are chosen, by the short names of the command line: `t1`, `t0.7`, `k40`, `p0.9`, `t0.7k40`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use ovid_generate::Settings;
use ovid_generate::sampling::{AtEndOfText, Temperature, TopK, TopP};
use serde::{Deserialize, Serialize};

/// A temperature, and what is cut off: all that the dumps of 2019 varied, and top-p.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Setting {
    temperature: Temperature,
    top_k: Option<TopK>,
    top_p: Option<TopP>,
}

impl Setting {
    /// The engine's settings, everything else off. End-of-text does not end a sample: a dump is raw, and that of 2019 was.
    pub fn settings(self, max_tokens: usize) -> Settings {
        let Self { temperature, top_k, top_p } = self;
        Settings { temperature, top_k, top_p, max_tokens, at_end_of_text: AtEndOfText::GoOn, ..Settings::default() }
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |cause: &str| format!("'{text}' is no setting{cause}; settings look like t1, t0.7, k40, p0.9 or t0.7k40");
        let mut setting = Self { temperature: Temperature::ONE, top_k: None, top_p: None };
        let mut rest = text;
        let mut seen = String::new();
        while let Some(letter) = rest.chars().next() {
            let end = rest[letter.len_utf8()..].find(|c: char| c.is_alphabetic()).map_or(rest.len(), |i| i + letter.len_utf8());
            let number = &rest[letter.len_utf8()..end];
            rest = &rest[end..];
            if seen.contains(letter) {
                return Err(wrong(&format!(": {letter} stands twice")));
            }
            seen.push(letter);
            let cause = |e: ovid_generate::Error| wrong(&format!(": {e}"));
            match letter {
                't' => setting.temperature = number.parse().map_err(cause)?,
                'p' => setting.top_p = Some(number.parse().map_err(cause)?),
                'k' => setting.top_k = Some(TopK(number.parse::<NonZeroU32>().map_err(|e| wrong(&format!(": {e}")))?)),
                _ => return Err(wrong("")),
            }
        }
        if seen.is_empty() { Err(wrong("")) } else { Ok(setting) }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { temperature, top_k, top_p } = self;
        if *temperature != Temperature::ONE || top_k.is_none() && top_p.is_none() {
            write!(f, "t{}", temperature.get())?;
        }
        top_k.iter().try_for_each(|k| write!(f, "k{}", k.0))?;
        top_p.iter().try_for_each(|p| write!(f, "p{}", p.get()))
    }
}

impl TryFrom<String> for Setting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Setting> for String {
    fn from(setting: Setting) -> Self {
        setting.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_settings_go_both_ways() {
        for (given, name) in
            [("t1", "t1"), ("t0.70", "t0.7"), ("k40", "k40"), ("t1k40", "k40"), ("k40t0.7", "t0.7k40"), ("p0.9", "p0.9"), ("t0", "t0")]
        {
            let setting: Setting = given.parse().unwrap();
            assert_eq!(setting.to_string(), name);
            assert_eq!(name.parse::<Setting>().unwrap(), setting);
        }
        for wrong in ["", "x1", "t", "t-1", "k0", "k1.5", "p2", "t1t2", "40", "é3", "k40 "] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
        let settings = "t0.7".parse::<Setting>().unwrap().settings(5);
        assert_eq!((settings.temperature.get(), settings.top_k, settings.max_tokens), (0.7, None, 5));
    }
}
