package model

import "math"

const (
	calibrationBins = 2400    // of 0.01 in log odds, from -12 to 12: fine where conversion is rare as well
	logOddsMax      = 12.0    // further out, the outermost bins
	errorBins       = 10      // of equal width in probability, for the calibration error
	fixedPoint      = 1 << 32 // of sums of probabilities and losses
)

// Calibration gathers how well probabilities were predicted, in a stream. Its state is integers, so parts add exactly and in any order,
// and all of it is exported for saving. Predict first, learn after: then it is honest (prequential; Dawid 1984).
type Calibration struct {
	Positive, Negative [calibrationBins]uint64 // outcomes by log odds of the prediction
	Loss               int64                   // sum of -ln of what the outcome was given, times 2^32
	Predicted          [errorBins]int64        // sums of predictions per tenth, times 2^32
	Counted, Happened  [errorBins]uint64       // outcomes, and those that came true, per tenth
}

// Add takes a prediction and its outcome in.
func (c *Calibration) Add(p float64, y bool) {
	p = min(1-1e-15, max(1e-15, p))
	bin := int((math.Log(p/(1-p)) + logOddsMax) / (2 * logOddsMax) * calibrationBins)
	bin = min(calibrationBins-1, max(0, bin))
	tenth := min(errorBins-1, int(p*errorBins))
	c.Predicted[tenth] += int64(math.Round(p * fixedPoint))
	c.Counted[tenth]++
	if y {
		c.Positive[bin]++
		c.Happened[tenth]++
		c.Loss += int64(math.Round(-math.Log(p) * fixedPoint))
		return
	}
	c.Negative[bin]++
	c.Loss += int64(math.Round(-math.Log1p(-p) * fixedPoint))
}

// Merge adds another part of the stream.
func (c *Calibration) Merge(o *Calibration) {
	for i := range c.Positive {
		c.Positive[i] += o.Positive[i]
		c.Negative[i] += o.Negative[i]
	}
	for i := range c.Predicted {
		c.Predicted[i] += o.Predicted[i]
		c.Counted[i] += o.Counted[i]
		c.Happened[i] += o.Happened[i]
	}
	c.Loss += o.Loss
}

// CalibrationReport is what a Calibration comes to; all zeros where nothing was added, and the areas are 0 where only one outcome occurred.
type CalibrationReport struct {
	Count, Positives uint64
	LogLoss          float64 // mean of -ln of what the outcome was given, in nats
	AUC              float64 // area under the ROC curve: chance that a positive is ranked above a negative; ties count half
	AveragePrecision float64 // sum over thresholds of precision times gain in recall
	Error            float64 // expected calibration error: mean distance of prediction and share, over ten bins (Guo et al., ICML 2017)
}

// Report computes the measures. Within one bin of log odds the order of predictions is not known: they count as ties.
func (c *Calibration) Report() (r CalibrationReport) {
	negatives := uint64(0)
	for i := range c.Positive {
		r.Positives += c.Positive[i]
		negatives += c.Negative[i]
	}
	if r.Count = r.Positives + negatives; r.Count == 0 {
		return r
	}
	r.LogLoss = float64(c.Loss) / fixedPoint / float64(r.Count)
	for i := range c.Predicted {
		r.Error += math.Abs(float64(c.Predicted[i])/fixedPoint-float64(c.Happened[i])) / float64(r.Count)
	}
	if r.Positives == 0 || negatives == 0 {
		return r
	}
	above, hits := 0.0, 0.0 // predictions and positives with a higher prediction
	for i := calibrationBins - 1; i >= 0; i-- {
		p, n := float64(c.Positive[i]), float64(c.Negative[i])
		r.AUC += n * (hits + p/2)
		hits, above = hits+p, above+p+n
		if p > 0 {
			r.AveragePrecision += p * hits / above
		}
	}
	r.AUC /= float64(r.Positives) * float64(negatives)
	r.AveragePrecision /= float64(r.Positives)
	return r
}
