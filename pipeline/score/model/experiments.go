package model

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Arm is what is kept of one arm of an experiment: sums over its people of an outcome Y and of a covariate X from before the experiment.
type Arm struct{ N, Y, YY, X, XX, XY float64 }

// Add takes a person in; Arms of parts of the people add field by field.
func (a *Arm) Add(y, x float64) {
	a.N, a.Y, a.YY = a.N+1, a.Y+y, a.YY+y*y
	a.X, a.XX, a.XY = a.X+x, a.XX+x*x, a.XY+x*y
}

// Mean of the outcome.
func (a *Arm) Mean() float64 { return ratio(a.Y, a.N) }

// Variance of the outcome, with n - 1.
func (a *Arm) Variance() float64 { return moment(a.N, a.Y, a.Y, a.YY) }

// ratio is 0 where it has no value.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// moment is the sample covariance of two variables from their sums.
func moment(n, a, b, ab float64) float64 {
	if n < 2 {
		return 0
	}
	return (ab - a*b/n) / (n - 1)
}

// SampleRatio tests whether people were assigned in the intended proportions: chi2 = sum (count - expected)^2 / expected, p from the
// chi-square distribution with one degree of freedom less than arms. Shares need not sum to 1; nil means equal. Alarm below p = 0.001
// (Fabijan et al.: Diagnosing Sample Ratio Mismatch, KDD 2019).
func SampleRatio(counts, shares []float64) (chi2, p float64) {
	n, all := 0.0, 0.0
	for i, c := range counts {
		n += c
		all += shareOf(shares, i)
	}
	if n == 0 || !(all > 0) || len(counts) < 2 {
		return 0, 1
	}
	for i, c := range counts {
		expected := n * shareOf(shares, i) / all
		if expected == 0 {
			if c > 0 {
				return math.Inf(1), 0
			}
			continue
		}
		chi2 += (c - expected) * (c - expected) / expected
	}
	return chi2, mathext.GammaIncRegComp(float64(len(counts)-1)/2, chi2/2)
}

func shareOf(shares []float64, i int) float64 {
	if shares == nil {
		return 1
	}
	return shares[i]
}

// Effect is the difference of means of an outcome between two arms, with se = sqrt(s_t^2/n_t + s_c^2/n_c) (Welch) and 95 % limits. Unit:
// that of the outcome.
func Effect(treated, control *Arm) Interval {
	return around(treated.Mean()-control.Mean(), math.Sqrt(ratio(treated.Variance(), treated.N)+ratio(control.Variance(), control.N)))
}

// CUPED is Effect with the part taken out that the covariate explains: theta = cov(x, y) / var(x) over the people of both arms together,
// y' = y - theta x (Deng, Xu, Kohavi, Walker: Improving the Sensitivity of Online Controlled Experiments, WSDM 2013).
func CUPED(treated, control *Arm) (theta float64, effect Interval) {
	n, x, y := treated.N+control.N, treated.X+control.X, treated.Y+control.Y
	theta = ratio(moment(n, x, y, treated.XY+control.XY), moment(n, x, x, treated.XX+control.XX))
	adjusted := func(a *Arm) Arm {
		return Arm{N: a.N, Y: a.Y - theta*a.X, YY: a.YY - 2*theta*a.XY + theta*theta*a.XX}
	}
	t, c := adjusted(treated), adjusted(control)
	return theta, Effect(&t, &c)
}

// MSPRT is the mixture sequential probability ratio test (Johari, Koomen, Pekelis, Walsh: Always Valid Inference, Operations Research 2022) of an
// effect of 0, whose square of the standard error is v, with effects mixed as Normal(0, tau2): ratio = sqrt(v/(v+tau2)) exp(tau2 effect^2 /
// (2 v (v+tau2))), p = min(1, 1/ratio). The always-valid p is the least p so far. Without variance the ratio is 1.
func MSPRT(effect, v, tau2 float64) (likelihood, p float64) {
	if !(v > 0 && tau2 >= 0) {
		return 1, 1
	}
	// In logarithms, which end at the largest float.
	log := 0.5*math.Log(v/(v+tau2)) + tau2*effect*effect/(2*v*(v+tau2))
	return math.Exp(min(log, 700)), math.Exp(-max(0, log))
}

// ConfidenceSequence is half the width of an interval around a mean of n observations with the standard deviation sd that holds at all
// times at once with 1 - alpha: sd sqrt(2 (n rho^2 + 1) / (n^2 rho^2) ln(sqrt(n rho^2 + 1) / alpha)) (Waudby-Smith, Arbour, Sinha, Kennedy,
// Ramdas: Time-uniform central limit theory, Annals of Statistics 2024). Rho sets when it is tightest: 0.1 for some hundred observations.
// It is infinite without observations.
func ConfidenceSequence(n, sd, rho, alpha float64) float64 {
	if !(n > 0 && rho > 0 && alpha > 0) {
		return math.Inf(1)
	}
	m := n*rho*rho + 1
	return sd * math.Sqrt(2*m/(n*n*rho*rho)*math.Log(math.Sqrt(m)/alpha))
}
