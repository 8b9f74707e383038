package model

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/optimize"
)

// climb finds the positive parameters of the greatest log-likelihood: a Nelder-Mead search that gets near from a bad start, then BFGS
// with the exact slope. It works on logarithms of the parameters. Outside of e^-logMax .. e^logMax a penalty grows, so that data whose
// likelihood has no top (nobody ever leaves, say) give parameters that stand for the limit. The same input gives the same bits.
type climb struct {
	start  []float64
	value  func(parameters []float64) float64
	slope  func(parameters, slope []float64) // nil for differences of value
	weight float64                           // observations
	logMax float64                           // 0 for logLimit
}

const (
	logLimit         = 8    // parameters between 0.0003 and 3000
	limitPenalty     = 10   // per observation and squared distance
	roughEvaluations = 150  // of the first search
	climbsMax        = 400  // steps of the second
	slopePerUnitMax  = 1e-6 // of the log-likelihood per observation, by the logarithm of a parameter, at the top
)

func (c *climb) solve() ([]float64, Fit, error) {
	if c.logMax == 0 {
		c.logMax = logLimit
	}
	from := make([]float64, len(c.start))
	for i, v := range c.start {
		if !(v > 0) || math.IsInf(v, 0) {
			return nil, Fit{}, fmt.Errorf("start value %d is %v: %w", i, v, ErrBadSettings)
		}
		from[i] = math.Log(v)
	}
	evaluations, parameters := 0, make([]float64, len(from))
	function := func(logs []float64) float64 {
		evaluations++
		v := -c.value(exps(parameters, logs)) / c.weight
		if math.IsNaN(v) {
			return math.Inf(1)
		}
		return v + c.penalty(logs, nil)
	}
	gradient := func(slope, logs []float64) {
		if c.slope == nil {
			fd.Gradient(slope, function, logs, &fd.Settings{Formula: fd.Central})
			return
		}
		evaluations++
		c.slope(exps(parameters, logs), slope)
		for i := range slope {
			slope[i] *= -parameters[i] / c.weight
		}
		c.penalty(logs, slope)
	}
	rough, err := optimize.Minimize(optimize.Problem{Func: function}, from,
		&optimize.Settings{FuncEvaluations: roughEvaluations, Converger: &optimize.FunctionConverge{Absolute: 1e-6, Iterations: 20}},
		&optimize.NelderMead{})
	if err != nil && (rough == nil || !finite(rough.X)) {
		return nil, Fit{}, fmt.Errorf("%w: %w", ErrNoConverge, err)
	}
	problem := optimize.Problem{Func: function, Grad: gradient}
	top, err := optimize.Minimize(problem, rough.X,
		&optimize.Settings{MajorIterations: climbsMax, GradientThreshold: slopePerUnitMax / 1000, Converger: optimize.NeverTerminate{}},
		&optimize.BFGS{})
	if top == nil || !finite(top.X) {
		return nil, Fit{}, fmt.Errorf("%w: %w", ErrNoConverge, err)
	}
	// The line search reports an error where rounding stops it on the flat top, so the slope decides.
	at := make([]float64, len(from))
	gradient(at, top.X)
	for i, s := range at {
		if !(math.Abs(s) <= slopePerUnitMax) {
			return nil, Fit{}, fmt.Errorf("%w: slope %.2g by parameter %d after %d evaluations", ErrNoConverge, s, i, evaluations)
		}
	}
	fit := Fit{LogLikelihood: c.value(exps(parameters, top.X)), Customers: uint64(c.weight), Evaluations: evaluations}
	fit.AtLimit = c.penalty(top.X, nil) > 0
	return parameters, fit, nil
}

// penalty gives what is taken off outside of the range, per observation, and adds its slope.
func (c *climb) penalty(logs, slope []float64) (sum float64) {
	for i, v := range logs {
		if over := math.Abs(v) - c.logMax; over > 0 {
			sum += limitPenalty * over * over
			if slope != nil {
				slope[i] += math.Copysign(2*limitPenalty*over, v)
			}
		}
	}
	return sum
}

func exps(to, logs []float64) []float64 {
	for i, v := range logs {
		to[i] = math.Exp(v)
	}
	return to
}

func finite(values []float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
