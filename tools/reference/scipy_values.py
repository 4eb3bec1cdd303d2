"""Values of scipy for the functions of ovid-stats: crates/ovid-stats/tests/fixtures/scipy.json. Format: README.md."""

import json
import pathlib
import sys

import numpy as np
import scipy
from scipy import stats

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/ovid-stats/tests/fixtures/scipy.json"
rng = np.random.default_rng(20)


def samples():
    """Pairs of samples: unlike sizes, shifts, ties, a sample of one."""
    for n, m, shift, digits in [(1, 1, 0.0, 2), (1, 9, 1.0, 3), (12, 7, 0.5, 1), (30, 30, 0.0, 1), (80, 50, 0.8, 4), (200, 150, 0.2, 0)]:
        yield np.round(rng.normal(shift, 1, n), digits), np.round(rng.normal(0, 1.2, m), digits)


def two_samples(x, y):
    test = stats.mannwhitneyu(x, y, method="asymptotic")
    differences = np.subtract.outer(x, y)
    ks = stats.ks_2samp(x, y, method="exact")
    # The receiver operating characteristic by its definition: every threshold, the best rate whose false-positive rate stays within the limit.
    thresholds = np.concatenate([[-np.inf], np.unique(np.concatenate([x, y]))])
    tpr = {f: max(float(np.mean(x > t)) for t in thresholds if np.mean(y > t) <= f) for f in (0.0, 0.01, 0.1, 0.5)}
    return dict(
        x=x.tolist(), y=y.tolist(), u=float(test.statistic), p=float(test.pvalue),
        ks=float(ks.statistic), ks_p=float(ks.pvalue), hodges_lehmann=float(np.median(differences)),
        tpr_at_fpr=[[f, t] for f, t in tpr.items()],
        quantiles=[[q, float(np.quantile(x, q))] for q in (0.0, 0.025, 0.3, 0.5, 0.9, 1.0)],
    )


def main():
    value = {
        "made_with": {"python": sys.version.split()[0], "scipy": scipy.__version__, "numpy": np.__version__},
        "normal": [[z, float(stats.norm.cdf(z)), float(stats.norm.sf(z))] for z in (-8.0, -1.3, 0.0, 0.2, 1.0, 2.5, 6.0, 15.0, 30.0)],
        "normal_quantile": [[p, float(stats.norm.ppf(p))] for p in (1e-12, 1e-4, 0.025, 0.5, 0.7, 0.975, 0.9999)],
        "beta": [[x, a, b, float(stats.beta.cdf(x, a, b))] for a, b in ((0.5, 0.5), (1, 3), (40, 2), (900, 1100)) for x in (0.01, 0.3, 0.45, 0.5, 0.97)],
        "beta_quantile": [[p, a, b, float(stats.beta.ppf(p, a, b))] for a, b in ((1, 3), (40, 2), (900, 1100)) for p in (1e-6, 0.025, 0.5, 0.995)],
        "gamma": [[x, a, float(stats.gamma.cdf(x, a)), float(stats.gamma.sf(x, a))] for a in (0.5, 1, 7, 200, 3000) for x in (0.1, 3.0, 150.0, 260.0, 3300.0)],
        "chi_squared": [[x, k, float(stats.chi2.sf(x, k))] for k in (1, 4, 90) for x in (0.2, 5.0, 120.0)],
        "binomial": [
            [k, n, p, float(stats.binom.sf(k - 1, n, p)), float(stats.binom.cdf(k, n, p))]
            for n in (1, 10, 200, 5000) for p in (0.001, 0.25, 0.5, 0.9) for k in sorted({0, 1, n // 4, n // 2, 3 * n // 4, n})
        ],
        "poisson_binomial": [],
        "proportion": [],
        "two_samples": [two_samples(x, y) for x, y in samples()],
        "benjamini_hochberg": [],
        "bootstrap": [],
    }
    for n in (1, 5, 60):
        p = np.round(rng.beta(0.8, 2, n), 6)
        for k in sorted({0, 1, n // 4, n // 2, n}):
            value["poisson_binomial"].append(dict(p=p.tolist(), k=k, upper=float(stats.poisson_binom.sf(k - 1, p))))
    for k, n, level in [(0, 1, 0.95), (1, 1, 0.95), (0, 300, 0.95), (3, 300, 0.99), (8, 10, 0.95), (57, 200, 0.9), (1000, 1000, 0.999), (499_999, 1_000_000, 0.95)]:
        test = stats.binomtest(k, n)
        row = dict(k=k, n=n, level=level)
        for method, name in (("wilson", "wilson"), ("exact", "clopper_pearson")):
            found = test.proportion_ci(level, method=method)
            row[name] = [float(found.low), float(found.high)]
        value["proportion"].append(row)
    for n in (1, 4, 40):
        p = np.round(rng.beta(0.4, 2, n), 6)
        value["benjamini_hochberg"].append(dict(p=p.tolist(), adjusted=stats.false_discovery_control(p).tolist()))
    for n in (15, 80):
        x = np.round(rng.gamma(2, 1, n), 4)
        found = stats.bootstrap((x,), np.mean, n_resamples=200_000, confidence_level=0.95, method="percentile", rng=rng, batch=1000)
        value["bootstrap"].append(dict(x=x.tolist(), interval=[float(found.confidence_interval.low), float(found.confidence_interval.high)]))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
