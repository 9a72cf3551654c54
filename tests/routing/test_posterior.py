"""The quadrature against closed forms, exact rational arithmetic and Monte Carlo."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from krins.interfaces import FloatArray
from krins.routing.posterior import LogitBeta, Normal, StudentT, chance_of_largest

PROMISED_ERROR = 1e-4


def beta_chances(alpha: FloatArray, beta: FloatArray) -> FloatArray:
    return chance_of_largest(LogitBeta(alpha, beta), *alpha.shape)


def student_chances(degrees: FloatArray, location: FloatArray, scale: FloatArray) -> FloatArray:
    return chance_of_largest(StudentT(degrees, location, scale), *location.shape)


def normal_chances(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    return chance_of_largest(Normal(mean, deviation), *mean.shape)


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def chance_of_first(a: int, b: int, c: float, d: float) -> float:
    """P(Beta(a, b) > Beta(c, d)): summing the upper tail of the second over i < a, where a is a whole number."""
    terms = (log_beta(c + i, b + d) - math.log(b + i) - log_beta(1 + i, b) - log_beta(c, d) for i in range(a))
    return math.fsum(math.exp(term) for term in terms)


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [(1, 1, 1, 1), (3, 2, 2, 3), (30, 70, 1, 1), (1, 400, 2, 399), (900, 100, 9, 1), (5000, 5000, 5050, 4950)],
)
def test_two_beta_arms_with_whole_parameters(a: int, b: int, c: int, d: int) -> None:
    found = beta_chances(np.array([[float(a), c]]), np.array([[float(b), d]]))
    assert found[0, 0] == pytest.approx(chance_of_first(a, b, c, d), abs=1e-8)


def polynomial_product(p: list[Fraction], q: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            product[i + j] += x * y
    return product


def beta_density(a: int, b: int) -> list[Fraction]:
    """Coefficients of x^(a-1) (1-x)^(b-1) / B(a, b)."""
    norm = Fraction(math.factorial(a + b - 1), math.factorial(a - 1) * math.factorial(b - 1))
    return [Fraction(0)] * (a - 1) + [norm * (-1) ** i * math.comb(b - 1, i) for i in range(b)]


def integral(p: list[Fraction]) -> list[Fraction]:
    return [Fraction(0), *(x / (i + 1) for i, x in enumerate(p))]


def test_several_beta_arms_in_exact_arithmetic() -> None:
    arms = [(1, 1), (5, 3), (2, 2), (7, 9), (4, 1)]
    exact = []
    for k, (a, b) in enumerate(arms):
        integrand = beta_density(a, b)
        for other in (*arms[:k], *arms[k + 1 :]):
            integrand = polynomial_product(integrand, integral(beta_density(*other)))
        exact.append(float(sum(integral(integrand))))
    alpha, beta = np.array([arms], np.float64).transpose(2, 0, 1)
    assert sum(exact) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(beta_chances(alpha, beta)[0], exact, atol=1e-8)


def test_two_cauchy_arms() -> None:
    # One degree of freedom, the heaviest tail that a prior may have. The difference is Cauchy, its scale the sum.
    gap, first, second = 0.7, 0.4, 0.001
    found = student_chances(np.ones((1, 2)), np.array([[gap, 0.0]]), np.array([[first, second]]))
    assert found[0, 0] == pytest.approx(0.5 + math.atan(gap / (first + second)) / math.pi, abs=PROMISED_ERROR)


def test_two_nearly_normal_arms() -> None:
    found = student_chances(np.full((1, 2), 1e6), np.array([[0.3, 0.0]]), np.array([[0.2, 0.1]]))
    normal = 0.5 * math.erfc(-0.3 / math.hypot(0.2, 0.1) / math.sqrt(2.0))
    assert found[0, 0] == pytest.approx(normal, abs=1e-6)


@pytest.mark.parametrize(
    ("gap", "first", "second"), [(0.3, 0.2, 0.1), (0.0, 5.0, 1e-8), (-1.2, 1e-3, 0.4), (9.0, 1, 1)]
)
def test_two_normal_arms(gap: float, first: float, second: float) -> None:
    # The difference is normal, its variance the sum.
    found = normal_chances(np.array([[gap, 0.0]]), np.array([[first, second]]))
    expected = 0.5 * math.erfc(-gap / math.hypot(first, second) / math.sqrt(2.0))
    assert found[0, 0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_arms", [3, 6])
def test_standard_normal_arms_beside_a_constant(n_arms: int) -> None:
    # An arm that is all but constant at 0 is the largest where the n - 1 others are all negative.
    deviation = np.ones((1, n_arms))
    deviation[0, 0] = 1e-8
    found = normal_chances(np.zeros((1, n_arms)), deviation)
    assert found[0, 0] == pytest.approx(0.5 ** (n_arms - 1), abs=1e-7)
    np.testing.assert_allclose(found[0, 1:], (1.0 - 0.5 ** (n_arms - 1)) / (n_arms - 1), atol=1e-7)


def test_three_correlated_differences_of_normal_arms() -> None:
    # P(X0 > X1, X0 > X2) of centred arms is the orthant 1/4 + asin(r) / (2 pi), r the correlation of the differences.
    deviation = np.array([[0.7, 0.2, 1.9]])
    a, b, c = deviation[0] ** 2
    expected = [
        0.25 + math.asin(own / math.sqrt((own + x) * (own + y))) / (2.0 * math.pi)
        for own, x, y in ((a, b, c), (b, a, c), (c, a, b))
    ]
    np.testing.assert_allclose(normal_chances(np.full((1, 3), 0.4), deviation)[0], expected, atol=1e-9)


@pytest.mark.parametrize("n_arms", [2, 9, 34])
def test_normal_arms_of_all_widths(n_arms: int) -> None:
    rng = np.random.default_rng(n_arms)
    mean, deviation = rng.normal(size=n_arms), np.exp(rng.uniform(-7.0, 0.0, n_arms))

    def cdf(k: int, x: FloatArray) -> FloatArray:
        return np.asarray(ndtr((x - mean[k]) / deviation[k]))

    def quantile(k: int, u: FloatArray) -> FloatArray:
        # Next to 0 and 1 the cells are so narrow that their middle is rounded to the end.
        return np.asarray(mean[k] + deviation[k] * ndtri(np.clip(u, 1e-300, 1.0 - 1e-16)))

    found = normal_chances(mean[None], deviation[None])[0]
    np.testing.assert_allclose(found, by_midpoints(cdf, quantile, n_arms), atol=1e-6)


def by_midpoints(
    cdf: Callable[[int, FloatArray], FloatArray], quantile: Callable[[int, FloatArray], FloatArray], n_arms: int
) -> FloatArray:
    """P(k largest) as the mean over u in (0, 1) of the product of the other arms' CDFs at quantile k of u."""
    # Cells shrink towards both ends, where heavy tails and steep distribution functions have their corners.
    edges = np.linspace(0.0, 1.0, 40_001)
    edges = edges**3 * (10.0 - 15.0 * edges + 6.0 * edges**2)
    middle, width = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges)
    chances = np.empty(n_arms)
    for k in range(n_arms):
        at = quantile(k, middle)
        others = np.prod([cdf(j, at) for j in range(n_arms) if j != k], axis=0)
        chances[k] = others @ width
    return chances


@pytest.mark.parametrize("n_arms", [2, 9, 34])
def test_student_arms_of_all_widths(n_arms: int) -> None:
    # Two degrees of freedom, those of the default prior: F(x) = 1/2 + x / (2 sqrt(2 + x^2)).
    rng = np.random.default_rng(n_arms)
    location, scale = rng.normal(size=n_arms), np.exp(rng.uniform(-7.0, 0.0, n_arms))

    def cdf(k: int, x: FloatArray) -> FloatArray:
        z = (x - location[k]) / scale[k]
        return np.asarray(0.5 + z / (2.0 * np.sqrt(2.0 + z * z)))

    def quantile(k: int, u: FloatArray) -> FloatArray:
        return np.asarray(location[k] + scale[k] * (2.0 * u - 1.0) / np.sqrt(2.0 * u * (1.0 - u)))

    found = student_chances(np.full((1, n_arms), 2.0), location[None], scale[None])[0]
    np.testing.assert_allclose(found, by_midpoints(cdf, quantile, n_arms), atol=PROMISED_ERROR / 10.0)


@pytest.mark.parametrize(("lowest", "highest"), [(0.01, 2.0), (1.0, 1e6)])
def test_beta_arms_of_all_shapes(lowest: float, highest: float) -> None:
    # Beta(a, 1) has F(x) = x^a. Parameters far below 1 put their mass next to 0.
    rng = np.random.default_rng(5)
    alpha = np.exp(rng.uniform(math.log(lowest), math.log(highest), 5))

    def cdf(k: int, x: FloatArray) -> FloatArray:
        return np.asarray(x ** alpha[k])

    def quantile(k: int, u: FloatArray) -> FloatArray:
        return np.asarray(u ** (1.0 / alpha[k]))

    found = beta_chances(alpha[None], np.ones((1, 5)))[0]
    np.testing.assert_allclose(found, by_midpoints(cdf, quantile, 5), atol=PROMISED_ERROR)
    # In closed form: the largest is arm k with odds alpha_k.
    np.testing.assert_allclose(found, alpha / alpha.sum(), atol=PROMISED_ERROR)


def test_beta_arms_against_monte_carlo() -> None:
    alpha, beta = np.array([[3.5, 40.0, 1.0, 0.4, 700.0]]), np.array([[2.5, 30.0, 1.0, 0.4, 500.0]])
    draws = np.random.default_rng(1).beta(alpha, beta, (400_000, 5))
    frequencies = np.bincount(draws.argmax(axis=1), minlength=5) / len(draws)
    expected = beta_chances(alpha, beta)[0]
    assert (np.abs(frequencies - expected) < 5.0 * np.sqrt(expected * (1.0 - expected) / len(draws))).all()


def test_equal_posteriors_are_equally_likely_and_parts_do_not_show() -> None:
    # 200 replications of 34 arms take several parts.
    np.testing.assert_allclose(beta_chances(np.full((200, 34), 3.0), np.full((200, 34), 2.0)), 1.0 / 34.0, rtol=1e-9)
    rng = np.random.default_rng(2)
    alpha, beta = rng.uniform(1.0, 60.0, (2, 200, 34))
    alone = np.concatenate([beta_chances(alpha[i : i + 1], beta[i : i + 1]) for i in range(200)])
    np.testing.assert_allclose(beta_chances(alpha, beta), alone, atol=1e-12)


def test_one_arm_is_certain() -> None:
    assert beta_chances(np.full((2, 1), 3.0), np.full((2, 1), 2.0)).tolist() == [[1.0], [1.0]]
    assert student_chances(np.full((1, 1), 2.0), np.zeros((1, 1)), np.ones((1, 1))).tolist() == [[1.0]]
