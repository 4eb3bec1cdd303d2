//! The gradient of causal attention (the formulas of Vaswani et al. 2017, differentiated): with P = softmax(scale Q K^T), O = P V,
//! dV = P^T dO, dP = dO V^T, dS = P * (dP - rowsum(P * dP)), dQ = scale dS K, dK = scale dS^T Q.
//!
//! One task is one head of one sequence. P is made again in tiles of a few rows, exactly as in the forward pass; sums over tokens run in rising position.

use super::attention::{drop_row, padded, scores, softmax, task_rows, weighted};
use super::rows::tile_rows;
use super::simd::{Kernel, LANES, Lanes, Unit};
use super::{Scratch, Shared};
use crate::backend::{Dropout, Heads, Run};
use crate::math::tree_sum;
use crate::{Error, Pool};
use std::sync::{Mutex, PoisonError};

/// `dqkv` from `dout`; every run begins at position 0.
pub fn attention_backward(
    unit: Unit,
    pool: &Pool,
    scratch: &Scratch,
    qkv: &[f32],
    heads: &Heads,
    runs: &[Run<'_>],
    dropout: Option<&Dropout>,
    dout: &[f32],
    dqkv: &mut [f32],
) -> Result<(), Error> {
    let c = heads.n_head * heads.head_size;
    for run in runs {
        let rows = run.first_row + run.n_rows;
        assert!(run.first_position == 0, "gradients are taken of whole sequences");
        assert!(qkv.len() >= rows * 3 * c && dout.len() >= rows * c && dqkv.len() >= rows * 3 * c, "attention's buffers hold all rows");
    }
    let dqkv = Shared::new(dqkv);
    let longest = runs.iter().map(|r| r.n_rows).max().unwrap_or(0);
    let n_tasks = runs.len() * heads.n_head;
    // As many tasks run at a time as there are threads, so no task finds the stack of buffers empty.
    let buffers = (0..n_tasks.min(pool.n_threads())).map(|_| scratch.take(Local::len(heads, longest), "attention's gradients"));
    let buffers = Mutex::new(buffers.collect::<Result<Vec<_>, _>>()?);
    let lock = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
    pool.run(n_tasks, |i| {
        let mut buffer = lock().pop().expect("one buffer a thread");
        // SAFETY: tasks write disjoint rows and heads.
        unsafe {
            unit.run(Backward {
                qkv,
                heads,
                run: &runs[i / heads.n_head],
                head: i % heads.n_head,
                dropout,
                dout,
                dqkv,
                buffer: &mut buffer,
            });
        }
        lock().push(buffer);
    });
    lock().drain(..).for_each(|b| scratch.give_back(b));
    Ok(())
}

struct Backward<'a> {
    qkv: &'a [f32],
    heads: &'a Heads,
    run: &'a Run<'a>,
    head: usize,
    dropout: Option<&'a Dropout>,
    dout: &'a [f32],
    dqkv: Shared<f32>,
    buffer: &'a mut [f32],
}

/// One head's matrices, copied together. T is padded to whole blocks.
struct Local<'a> {
    /// Keys and values as (block, D, 16).
    k_lanes: &'a mut [f32],
    v_lanes: &'a mut [f32],
    /// Queries, keys and output gradients as (T, D padded).
    q_rows: &'a mut [f32],
    k_rows: &'a mut [f32],
    do_rows: &'a mut [f32],
    /// Sums: (T, D padded).
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    /// Queries and output gradients of a tile, its probabilities and their gradients.
    tile: &'a mut [f32],
}

impl<'a> Local<'a> {
    /// Values of all parts for a sequence of `t` rows.
    fn len(heads: &Heads, t: usize) -> usize {
        let (d, dp, t) = (heads.head_size, padded(heads.head_size), t.next_multiple_of(LANES));
        t * (2 * d + 5 * dp) + 2 * task_rows(true) * (d + t)
    }

    fn split(buffer: &'a mut [f32], heads: &Heads, t: usize) -> Self {
        let (d, dp, t) = (heads.head_size, padded(heads.head_size), t.next_multiple_of(LANES));
        let mut rest = buffer;
        let mut part = |n: usize| {
            let (part, more) = std::mem::take(&mut rest).split_at_mut(n);
            rest = more;
            part.fill(0.0);
            part
        };
        Self {
            k_lanes: part(t * d),
            v_lanes: part(t * d),
            q_rows: part(t * dp),
            k_rows: part(t * dp),
            do_rows: part(t * dp),
            dk: part(t * dp),
            dv: part(t * dp),
            tile: part(2 * task_rows(true) * (d + t)),
        }
    }
}

impl Backward<'_> {
    fn gather(&self, local: &mut Local<'_>) {
        let (d, dp, c) = (self.heads.head_size, padded(self.heads.head_size), self.heads.n_head * self.heads.head_size);
        for t in 0..self.run.n_rows {
            let row = &self.qkv[(self.run.first_row + t) * 3 * c + self.head * d..];
            let (q, k, v) = (&row[..d], &row[c..c + d], &row[2 * c..2 * c + d]);
            local.q_rows[t * dp..][..d].copy_from_slice(q);
            local.k_rows[t * dp..][..d].copy_from_slice(k);
            local.do_rows[t * dp..][..d].copy_from_slice(&self.dout[(self.run.first_row + t) * c + self.head * d..][..d]);
            let block = t / LANES * d * LANES + t % LANES;
            for j in 0..d {
                local.k_lanes[block + j * LANES] = k[j];
                local.v_lanes[block + j * LANES] = v[j];
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<L: Lanes, const M: usize>(&self, local: &mut Local<'_>, first: usize, n_rows: usize) {
        if M > task_rows(L::WIDE) {
            return;
        }
        let Heads { n_head, head_size: d, scale } = *self.heads;
        let (dp, c) = (padded(d), n_head * d);
        let n_keys = first + n_rows;
        let n_blocks = n_keys.div_ceil(LANES);
        let q = local.tile.as_mut_ptr();
        let g = q.add(d * M);
        let p = g.add(d * M);
        let ds = p.add(n_blocks * M * LANES);
        for m in 0..M {
            for j in 0..d {
                let inside = m < n_rows;
                *q.add(j * M + m) = if inside { local.q_rows[(first + m) * dp + j] } else { 0.0 };
                *g.add(j * M + m) = if inside { local.do_rows[(first + m) * dp + j] } else { 0.0 };
            }
        }
        for block in 0..n_blocks {
            scores::<L, M>(d, q, local.k_lanes.as_ptr().add(block * d * LANES), p.add(block * M * LANES));
            scores::<L, M>(d, g, local.v_lanes.as_ptr().add(block * d * LANES), ds.add(block * M * LANES));
        }
        for m in 0..n_rows {
            let (p, ds) = (p.add(m * LANES), ds.add(m * LANES));
            let sum = L::splat(softmax::<L>(p, M * LANES, n_blocks, first + m + 1, scale));
            let row = (self.run.first_row + first + m) as u64;
            if let Some(how) = self.dropout {
                drop_row::<L>(ds, M * LANES, n_blocks, how, row, self.head);
            }
            let mut partials = L::splat(0.0);
            for block in 0..n_blocks {
                let at = block * M * LANES;
                let probability = L::div(L::load(p.add(at)), sum);
                L::store(p.add(at), probability);
                partials = L::fma(probability, L::load(ds.add(at)), partials);
            }
            let mean = L::splat(tree_sum(L::to_array(partials)));
            for block in 0..n_blocks {
                let at = block * M * LANES;
                let slope = L::mul(L::load(p.add(at)), L::sub(L::load(ds.add(at)), mean));
                L::store(ds.add(at), L::mul(slope, L::splat(scale)));
            }
            if let Some(how) = self.dropout {
                drop_row::<L>(p, M * LANES, n_blocks, how, row, self.head);
            }
        }
        let mut v0 = 0;
        while v0 < dp {
            let mut dq = [L::splat(0.0); M];
            for block in 0..n_blocks {
                let k = local.k_rows.as_ptr().add(block * LANES * dp + v0);
                weighted::<L, M>(LANES.min(n_keys - block * LANES), ds.add(block * M * LANES), k, dp, &mut dq);
            }
            for m in 0..n_rows {
                let at = (self.run.first_row + first + m) * 3 * c + self.head * d + v0;
                L::store_part(self.dqkv.pointer().add(at), dq[m], (d - v0).min(LANES));
            }
            for block in 0..n_blocks {
                let at = block * LANES * dp + v0;
                let rows = first * dp + v0;
                transposed::<L, M>(n_rows, ds.add(block * M * LANES), local.q_rows.as_ptr().add(rows), dp, local.dk.as_mut_ptr().add(at));
                transposed::<L, M>(n_rows, p.add(block * M * LANES), local.do_rows.as_ptr().add(rows), dp, local.dv.as_mut_ptr().add(at));
            }
            v0 += LANES;
        }
    }
}

/// `sum` (16 keys, stride) goes on over `n_rows` rows: weights (rows of 16 keys) times `rows` (n_rows, stride).
#[inline(always)]
unsafe fn transposed<L: Lanes, const M: usize>(n_rows: usize, weights: *const f32, rows: *const f32, stride: usize, sum: *mut f32) {
    const KEYS: usize = 8;
    for half in 0..LANES / KEYS {
        let mut acc = [L::splat(0.0); KEYS];
        for (key, acc) in acc.iter_mut().enumerate() {
            *acc = L::load(sum.add((half * KEYS + key) * stride));
        }
        for m in 0..n_rows {
            let row = L::load(rows.add(m * stride));
            for (key, acc) in acc.iter_mut().enumerate() {
                *acc = L::fma(L::splat(*weights.add(m * LANES + half * KEYS + key)), row, *acc);
            }
        }
        for (key, acc) in acc.iter().enumerate() {
            L::store(sum.add((half * KEYS + key) * stride), *acc);
        }
    }
}

impl Kernel for Backward<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (d, dp, c) = (self.heads.head_size, padded(self.heads.head_size), self.heads.n_head * self.heads.head_size);
        // The buffer is lent apart from the rest, so that the task can be read while its parts are written.
        let mut task = self;
        let buffer = std::mem::take(&mut task.buffer);
        let mut local = Local::split(buffer, task.heads, task.run.n_rows);
        task.gather(&mut local);
        let rows = task_rows(L::WIDE);
        let mut first = 0;
        while first < task.run.n_rows {
            let n_rows = rows.min(task.run.n_rows - first);
            match tile_rows(n_rows) {
                1 => task.tile::<L, 1>(&mut local, first, n_rows),
                2 => task.tile::<L, 2>(&mut local, first, n_rows),
                4 => task.tile::<L, 4>(&mut local, first, n_rows),
                6 => task.tile::<L, 6>(&mut local, first, n_rows),
                8 => task.tile::<L, 8>(&mut local, first, n_rows),
                _ => task.tile::<L, 12>(&mut local, first, n_rows),
            }
            first += n_rows;
        }
        for t in 0..task.run.n_rows {
            let at = (task.run.first_row + t) * 3 * c + task.head * d;
            task.dqkv.slice(at + c, d).copy_from_slice(&local.dk[t * dp..][..d]);
            task.dqkv.slice(at + 2 * c, d).copy_from_slice(&local.dv[t * dp..][..d]);
        }
    }
}
