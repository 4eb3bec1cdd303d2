//! The tokens that are left to draw from, and the rules that cut them down.

use super::process::Text;
use super::settings::{MinP, TopK, TopP, TopPRule, TypicalP};
use crate::math;
use ovid_kernels::Unit;
use ovid_watermark::{Choice, Marker};

/// The tokens left, in ascending id order, with their weights. The probability of a token is its weight over the sum of weights.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    ids: Vec<u32>,
    /// Scores after every processor and the temperature.
    scores: Vec<f32>,
    /// e^(score - greatest score).
    weights: Vec<f32>,
    /// The sum of the weights.
    total: f64,
    /// Scratch of the rules that sort: places in the vectors above.
    places: Vec<u32>,
    /// Scratch: what is sorted by, or the best scores so far.
    keys: Vec<f32>,
    /// Scratch: which places stay.
    stays: Vec<bool>,
}

/// How tokens of equal key are ordered.
#[derive(Clone, Copy, PartialEq)]
enum Ties {
    LowIdFirst,
    HighIdFirst,
}

impl Kept {
    /// How many tokens are left.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no token is left; never so after a sampler has filled it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Ids, ascending, with their probabilities.
    pub fn probabilities(&self) -> impl Iterator<Item = (u32, f64)> + '_ {
        self.ids.iter().zip(&self.weights).map(|(&id, &weight)| (id, f64::from(weight) / self.total))
    }

    /// The token at which the running sum of probabilities, over ascending ids, first exceeds `unit` (in [0, 1)).
    ///
    /// The sum runs over groups of 256 tokens, each added up by itself in the order of `math::sum`, then inside the group that crosses.
    pub fn choose(&self, unit: f64) -> u32 {
        const GROUP: usize = 256;
        let wanted = unit * self.total;
        let mut before = 0.0;
        let mut last = 0;
        for (group, weights) in self.weights.chunks(GROUP).enumerate() {
            let after = before + math::sum(weights);
            if after > wanted {
                let mut running = before;
                for (i, &weight) in weights.iter().enumerate() {
                    running += f64::from(weight);
                    if weight > 0.0 {
                        last = group * GROUP + i;
                        if running > wanted {
                            break;
                        }
                    }
                }
                return self.ids[last];
            }
            if let Some(i) = weights.iter().rposition(|&weight| weight > 0.0) {
                last = group * GROUP + i;
            }
            before = after;
        }
        // Only where rounding left the last sum at or below what was wanted.
        self.ids[last]
    }

    /// Lets a watermark choose a token, or change the weights that [`Kept::choose`] goes by.
    pub(super) fn mark(&mut self, marker: &mut Marker, text: Text<'_>) -> Option<u32> {
        match marker.choose(text.ids, text.n_prompt, &self.ids, &mut self.weights) {
            Choice::Token(place) => Some(self.ids[place]),
            Choice::Open => None,
            Choice::Reweighed => {
                self.total = math::sum(&self.weights);
                None
            }
        }
    }

    /// Starts from the k best of `scores` divided by `temperature`, or from all; `greatest` is the greatest of `scores`.
    /// Every token whose divided score ties with the k-th stays.
    pub(super) fn start(&mut self, unit: Unit, scores: &[f32], greatest: f32, temperature: f32, top_k: Option<TopK>) {
        self.ids.clear();
        self.scores.clear();
        if let Some(TopK(k)) = top_k {
            // Division rounds, but never changes the order, so the k-th best can be found before it.
            let kth = math::kth_best(scores, k.get() as usize, &mut self.keys);
            let least = kth / temperature;
            // Rounding may let a score into the tie that lies this little below the k-th before division.
            let near = kth - kth.abs() * 1e-6 - f32::MIN_POSITIVE;
            for (block, start) in scores.chunks(64).zip((0u32..).step_by(64)) {
                // Most blocks hold nothing that stays, and this count runs over lanes.
                if block.iter().map(|&score| u32::from(score >= near)).sum::<u32>() == 0 {
                    continue;
                }
                for (&score, id) in block.iter().zip(start..) {
                    let score = score / temperature;
                    if score >= least && score > f32::NEG_INFINITY {
                        self.ids.push(id);
                        self.scores.push(score);
                    }
                }
            }
        } else {
            self.ids.extend(0..scores.len() as u32);
            self.scores.extend(scores.iter().map(|&score| score / temperature));
        }
        math::weigh(unit, &self.scores, greatest / temperature, &mut self.weights);
        self.total = math::sum(&self.weights);
        if top_k.is_none() && scores.contains(&f32::NEG_INFINITY) {
            self.keep(|score, _| score > f32::NEG_INFINITY);
        }
    }

    /// Keeps the most probable tokens up to mass p.
    ///
    /// Nucleus, as transformers computes it: tokens stand in ascending order of score, equal ones in ascending order of id; those up to which the mass is at most 1 - p go.
    /// So of equal tokens at the border the higher ids stay. The most probable token always stays.
    /// Original: tokens stand in descending order; the last one up to which the mass is at most p is the least that stays, and what ties with it stays too.
    pub(super) fn top_p(&mut self, p: TopP, rule: TopPRule) {
        if p.get() >= 1.0 {
            return;
        }
        let z = self.total as f32;
        self.keys.clear();
        self.keys.extend(self.scores.iter().map(|score| -score));
        self.nearest(p.get(), Ties::HighIdFirst);
        let probability = |place: u32| f64::from(self.weights[place as usize] / z);
        match rule {
            TopPRule::Nucleus => {
                let whole: f64 = self.weights.iter().map(|w| f64::from(w / z)).sum();
                let cut = (1.0 - p.get()) as f32;
                let mut above = 0.0;
                let mut n = 0;
                for &place in &self.places {
                    if n > 0 && (whole - above) as f32 <= cut {
                        break;
                    }
                    above += probability(place);
                    n += 1;
                }
                self.places.truncate(n);
                self.keep_places();
            }
            TopPRule::Original => {
                let mut mass = 0.0;
                let mut least = self.places[0];
                for &place in &self.places {
                    mass += probability(place);
                    if mass as f32 > p.get() as f32 {
                        break;
                    }
                    least = place;
                }
                let least = self.scores[least as usize];
                self.keep(|score, _| score >= least);
            }
        }
    }

    /// Drops tokens whose probability is below `p` times the greatest. Equal tokens share their fate.
    pub(super) fn min_p(&mut self, p: MinP) {
        let z = self.total as f32;
        let least = p.get() as f32 * (math::max(&self.weights).unwrap_or(0.0) / z);
        self.keep(|_, weight| weight / z >= least);
    }

    /// Keeps the tokens whose surprise is nearest to the entropy, until their mass reaches `p`; tokens exactly as far away as the last of them stay too.
    pub(super) fn typical(&mut self, unit: Unit, p: TypicalP) {
        if p.get() >= 1.0 {
            return;
        }
        let z = self.total as f32;
        // The weights are relative to the greatest score that there was, which may be gone.
        let (greatest, log_z) = math::log_sum_exp(unit, &self.scores);
        let entropy: f64 = self
            .weights
            .iter()
            .zip(&self.scores)
            .map(|(&w, &s)| -f64::from((s - greatest - log_z) * (w / z)))
            .filter(|h| !h.is_nan())
            .sum();
        let entropy = entropy as f32;
        self.keys.clear();
        self.keys.extend(self.scores.iter().map(|&score| (-(score - greatest - log_z) - entropy).abs()));
        self.nearest(p.get(), Ties::LowIdFirst);
        let mut mass = 0.0;
        let mut farthest = f32::INFINITY;
        for &place in &self.places {
            mass += f64::from(self.weights[place as usize] / z);
            if mass as f32 >= p.get() as f32 {
                farthest = self.keys[place as usize];
                break;
            }
        }
        self.stays.clear();
        self.stays.extend(self.keys.iter().map(|&key| key <= farthest));
        self.drop_others();
    }

    /// Fills `places` with places in rising order of `keys`, at least until their mass exceeds `mass` by a margin, so that a rule that counts mass from the front
    /// finds its end among them. Sorting all of a vocabulary takes milliseconds; what is kept is mostly a small part of it.
    fn nearest(&mut self, mass: f64, ties: Ties) {
        let first = self.keys.iter().fold(f32::INFINITY, |a, &b| if b < a { b } else { a });
        let enough = (mass + 1e-4) * self.total;
        let mut reach = 1.0f32;
        loop {
            let limit = if reach > 1e9 { f32::INFINITY } else { first + reach };
            self.places.clear();
            let mut found = 0.0;
            for (place, (&key, &weight)) in self.keys.iter().zip(&self.weights).enumerate() {
                if key <= limit {
                    self.places.push(place as u32);
                    found += f64::from(weight);
                }
            }
            if found > enough || self.places.len() == self.keys.len() {
                break;
            }
            reach *= 2.0;
        }
        let keys = &self.keys;
        self.places.sort_unstable_by(|&a, &b| {
            let by_id = if ties == Ties::LowIdFirst { a.cmp(&b) } else { b.cmp(&a) };
            math::order(keys[a as usize], keys[b as usize]).then(by_id)
        });
    }

    fn keep_places(&mut self) {
        self.stays.clear();
        self.stays.resize(self.ids.len(), false);
        for &place in &self.places {
            self.stays[place as usize] = true;
        }
        self.drop_others();
    }

    fn keep(&mut self, stays: impl Fn(f32, f32) -> bool) {
        self.stays.clear();
        self.stays.extend(self.scores.iter().zip(&self.weights).map(|(&score, &weight)| stays(score, weight)));
        self.drop_others();
    }

    fn drop_others(&mut self) {
        let mut n = 0;
        for place in 0..self.ids.len() {
            if self.stays[place] {
                self.ids[n] = self.ids[place];
                self.scores[n] = self.scores[place];
                self.weights[n] = self.weights[place];
                n += 1;
            }
        }
        self.ids.truncate(n);
        self.scores.truncate(n);
        self.weights.truncate(n);
        self.total = math::sum(&self.weights);
    }
}
