//! Where each parameter lies in one flat buffer: the order of parameters, gradients and optimiser state everywhere in Ovid.
//!
//! Order: `wte`, `wpe`, then for each layer `ln_1`, `attn.c_attn`, `attn.c_proj`, `ln_2`, `mlp.c_fc`, `mlp.c_proj`, then `ln_f`, then `lm_head` where it is not tied;
//! a weight before its bias. Names and orientation are Hugging Face's (`Conv1D`: inputs by outputs).

use crate::Config;
use std::ops::Range;

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Hugging Face's name, without `transformer.`.
    pub name: String,
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Place in the flat buffer.
    pub range: Range<usize>,
    /// Whether weight decay applies: to matrices, not to gains and biases.
    pub decay: bool,
}

/// The ordered parameters of a configuration.
#[derive(Clone, Debug)]
pub struct Layout {
    parameters: Vec<Parameter>,
    pub(crate) wte: Range<usize>,
    pub(crate) wpe: Range<usize>,
    pub(crate) layers: Vec<LayerAt>,
    pub(crate) ln_f: NormAt,
    pub(crate) lm_head: Option<Range<usize>>,
}

#[derive(Clone, Debug)]
pub(crate) struct NormAt {
    pub gain: Range<usize>,
    pub bias: Option<Range<usize>>,
}

#[derive(Clone, Debug)]
pub(crate) struct LinearAt {
    pub weight: Range<usize>,
    pub bias: Option<Range<usize>>,
    /// (inputs, outputs).
    pub shape: (usize, usize),
}

#[derive(Clone, Debug)]
pub(crate) struct LayerAt {
    pub ln_1: NormAt,
    pub c_attn: LinearAt,
    pub attn_proj: LinearAt,
    pub ln_2: NormAt,
    pub c_fc: LinearAt,
    pub mlp_proj: LinearAt,
}

struct Builder {
    parameters: Vec<Parameter>,
    end: usize,
    bias: bool,
}

impl Builder {
    fn add(&mut self, name: String, shape: &[usize]) -> Range<usize> {
        let range = self.end..self.end + shape.iter().product::<usize>();
        self.end = range.end;
        self.parameters.push(Parameter { name, shape: shape.to_vec(), range: range.clone(), decay: shape.len() > 1 });
        range
    }

    fn norm(&mut self, name: &str, width: usize) -> NormAt {
        let gain = self.add(format!("{name}.weight"), &[width]);
        let bias = self.bias.then(|| self.add(format!("{name}.bias"), &[width]));
        NormAt { gain, bias }
    }

    fn linear(&mut self, name: &str, n_in: usize, n_out: usize) -> LinearAt {
        let weight = self.add(format!("{name}.weight"), &[n_in, n_out]);
        let bias = self.bias.then(|| self.add(format!("{name}.bias"), &[n_out]));
        LinearAt { weight, bias, shape: (n_in, n_out) }
    }
}

impl Layout {
    /// The layout of a configuration.
    pub fn new(config: &Config) -> Self {
        let mut b = Builder { parameters: Vec::new(), end: 0, bias: config.bias };
        let c = config.n_embd;
        let wte = b.add("wte.weight".to_owned(), &[config.vocab_size, c]);
        let wpe = b.add("wpe.weight".to_owned(), &[config.n_ctx, c]);
        let layers = (0..config.n_layer)
            .map(|l| LayerAt {
                ln_1: b.norm(&format!("h.{l}.ln_1"), c),
                c_attn: b.linear(&format!("h.{l}.attn.c_attn"), c, 3 * c),
                attn_proj: b.linear(&format!("h.{l}.attn.c_proj"), c, c),
                ln_2: b.norm(&format!("h.{l}.ln_2"), c),
                c_fc: b.linear(&format!("h.{l}.mlp.c_fc"), c, config.n_inner),
                mlp_proj: b.linear(&format!("h.{l}.mlp.c_proj"), config.n_inner, c),
            })
            .collect();
        let ln_f = b.norm("ln_f", c);
        let lm_head = (!config.tie_word_embeddings).then(|| b.add("lm_head.weight".to_owned(), &[config.vocab_size, c]));
        Self { parameters: b.parameters, wte, wpe, layers, ln_f, lm_head }
    }

    /// The parameters in their order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Length of the flat buffer.
    pub fn n_params(&self) -> usize {
        self.parameters.last().map_or(0, |p| p.range.end)
    }

    /// The parameter of a name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }
}
