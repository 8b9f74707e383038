package model

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/optimize"
)

// climb finds the positive parameters of the greatest log-likelihood by BFGS with the exact slope. Where that fails, a Nelder-Mead search
// brings it nearer first. It works on logarithms of the parameters. Outside of e^-logMax .. e^logMax a penalty grows, so that data whose
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
	roughEvaluations = 600  // of the search without slopes
	climbsMax        = 10   // of BFGS, each from where the last one stopped
	stepsMax         = 200  // of each
	slopeWanted      = 1e-7 // of the log-likelihood per observation, by the logarithm of a parameter
	slopeMax         = 1e-4 // that still counts as the top: rounding, or a ridge that hardly rises
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
		if math.IsNaN(v) || math.IsInf(v, -1) {
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
	top, steepest := rise(function, gradient, from)
	if !(steepest <= slopeMax) {
		rough, _ := optimize.Minimize(optimize.Problem{Func: function}, from,
			&optimize.Settings{FuncEvaluations: roughEvaluations, Converger: optimize.NeverTerminate{}}, &optimize.NelderMead{})
		if rough != nil && finite(rough.X) {
			top, steepest = rise(function, gradient, rough.X)
		}
	}
	if !(steepest <= slopeMax) {
		return nil, Fit{}, fmt.Errorf("%w: the slope is %.2g after %d evaluations", ErrNoConverge, steepest, evaluations)
	}
	fit := Fit{LogLikelihood: c.value(exps(parameters, top)), Customers: uint64(c.weight), Evaluations: evaluations}
	fit.AtLimit = c.penalty(top, nil) > 0
	return parameters, fit, nil
}

// rise climbs until the slope is as wanted or does not get less.
func rise(function func([]float64) float64, gradient func(slope, at []float64), from []float64) (top []float64, steepest float64) {
	top, steepest = from, math.Inf(1)
	for range climbsMax {
		before := steepest
		if top, steepest = ascend(function, gradient, top); steepest <= slopeWanted || !(steepest <= before/2) {
			break
		}
	}
	return top, steepest
}

// ascend runs BFGS once, and gives the point that it got to, with the largest slope there.
func ascend(function func([]float64) float64, gradient func(slope, at []float64), from []float64) ([]float64, float64) {
	settings := &optimize.Settings{MajorIterations: stepsMax, GradientThreshold: slopeWanted / 10, Converger: optimize.NeverTerminate{}}
	// The line search reports an error where rounding stops it on a flat top, so the slope decides.
	to := from
	if top, _ := optimize.Minimize(optimize.Problem{Func: function, Grad: gradient}, from, settings, &optimize.BFGS{}); top != nil && finite(top.X) {
		to = top.X
	}
	slope, steepest := make([]float64, len(to)), 0.0
	gradient(slope, to)
	for _, s := range slope {
		steepest = max(steepest, math.Abs(s)) // NaN, if one is
	}
	return to, steepest
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

// positive tells whether all of a model's parameters are numbers above 0.
func positive(parameters ...float64) bool {
	for _, p := range parameters {
		if !(p > 0) || math.IsInf(p, 0) {
			return false
		}
	}
	return true
}

func errParameters(m any) error { return fmt.Errorf("parameters %+v: %w", m, ErrBadSettings) }
