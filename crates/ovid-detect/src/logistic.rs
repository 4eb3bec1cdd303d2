//! Logistic regression of a few numbers, by Newton's method.

/// Weights, the last one the constant, of the maximum of likelihood minus `ridge` / 2 times the squared weights (the constant left free).
///
/// `rows` have one length; `is_machine` runs with them; each side counts as much as the other, whatever their sizes, so that the constant means even odds.
pub(crate) fn fit(rows: &[Vec<f64>], is_machine: &[bool], ridge: f64) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len) + 1;
    let n_machine = is_machine.iter().filter(|m| **m).count().max(1) as f64;
    let n_human = (rows.len() as f64 - n_machine).max(1.0);
    let half = rows.len() as f64 / 2.0;
    let mut w = vec![0.0; width];
    for _ in 0..50 {
        let mut gradient = vec![0.0; width];
        let mut hessian = vec![vec![0.0; width]; width];
        for (row, &machine) in rows.iter().zip(is_machine) {
            let weight = if machine { half / n_machine } else { half / n_human };
            let p = sigmoid(dot(&w, row));
            let (slope, curve) = (weight * (p - f64::from(u8::from(machine))), weight * (p * (1.0 - p)).max(1e-12));
            let x = |i: usize| row.get(i).copied().unwrap_or(1.0);
            for i in 0..width {
                gradient[i] += slope * x(i);
                for j in 0..=i {
                    hessian[i][j] += curve * x(i) * x(j);
                }
            }
        }
        for i in 0..width - 1 {
            gradient[i] += ridge * w[i];
            hessian[i][i] += ridge;
        }
        hessian[width - 1][width - 1] += 1e-9;
        let step = solve(&mut hessian, gradient);
        // Far from the maximum a whole step may overshoot: no weight moves by more than 5 at once.
        let longest = step.iter().fold(0.0f64, |a, s| a.max(s.abs()));
        let factor = if longest > 5.0 { 5.0 / longest } else { 1.0 };
        for (w, s) in w.iter_mut().zip(&step) {
            *w -= factor * s;
        }
        if longest < 1e-9 {
            break;
        }
    }
    w
}

/// w x + constant.
pub(crate) fn dot(w: &[f64], x: &[f64]) -> f64 {
    x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + w.last().copied().unwrap_or(0.0)
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Solves a x = b for a positive definite matrix whose lower triangle is given (Cholesky).
fn solve(a: &mut [Vec<f64>], mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum = a[i][j] - (0..j).map(|k| a[i][k] * a[j][k]).sum::<f64>();
            a[i][j] = if i == j { sum.max(1e-12).sqrt() } else { sum / a[j][j] };
        }
        b[i] = (b[i] - (0..i).map(|k| a[i][k] * b[k]).sum::<f64>()) / a[i][i];
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|k| a[k][i] * b[k]).sum::<f64>()) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_nought_where_it_ends() {
        let draws = ovid_stats::Draws::new(5, 0);
        let rows: Vec<Vec<f64>> = (0..400).map(|i| vec![draws.normal_at(2 * i), draws.normal_at(2 * i + 1)]).collect();
        let machine: Vec<bool> = rows.iter().zip(1000..).map(|(r, i)| draws.unit_at(i) < sigmoid(1.5 * r[0] - 0.5 * r[1] + 0.3)).collect();
        let w = fit(&rows, &machine, 0.1);
        let n_machine = machine.iter().filter(|m| **m).count() as f64;
        for i in 0..3 {
            let slope: f64 = rows
                .iter()
                .zip(&machine)
                .map(|(row, &m)| {
                    let weight = 200.0 / if m { n_machine } else { 400.0 - n_machine };
                    weight * (sigmoid(dot(&w, row)) - f64::from(u8::from(m))) * row.get(i).copied().unwrap_or(1.0)
                })
                .sum();
            assert!((slope + if i < 2 { 0.1 * w[i] } else { 0.0 }).abs() < 1e-6, "{i}: {slope}");
        }
        assert!(w[0] > 1.0 && w[1] < -0.1);
    }
}
