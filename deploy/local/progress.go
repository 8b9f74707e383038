package local

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress writes one line that is rewritten on a terminal, and a plain line every few seconds elsewhere.
type progress struct {
	w        io.Writer // nil writes nothing
	terminal bool
	began    time.Time
	last     time.Time
	width    int // of the line on the terminal that is not finished
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, began: time.Now()}
	if file, ok := w.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// say writes a whole line, always.
func (p *progress) say(format string, args ...any) {
	if p.w == nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(p.w, p.over(text))
	p.width, p.last = 0, time.Now()
}

// update tells how far a step has come, as often as the reader can use it.
func (p *progress) update(step string, done, total int64) {
	every := 3 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if p.w == nil || time.Since(p.last) < every {
		return
	}
	text := fmt.Sprintf("%s ... %s, %.0f s", step, amount(done, total), time.Since(p.began).Seconds())
	if p.terminal {
		fmt.Fprint(p.w, p.over(text))
		p.width = len(text)
	} else {
		fmt.Fprintln(p.w, text)
	}
	p.last = time.Now()
}

// over pads a text so that it covers what the terminal line shows.
func (p *progress) over(text string) string {
	if !p.terminal {
		return text
	}
	return "\r" + text + strings.Repeat(" ", max(0, p.width-len(text)))
}

func amount(done, total int64) string {
	if total <= 0 {
		return fmt.Sprintf("%d MB", done/1e6)
	}
	return fmt.Sprintf("%d%% (%d of %d MB)", min(100, done*100/total), done/1e6, total/1e6)
}
