package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pattern names lists of settings: an audience or a pattern of names, and a platform.
type pattern struct{ audience, platform string }

// fileLists reads the lists that are written to files, and makes sure that their platforms are there.
func (c *Config) fileLists(platforms map[string]*Platform) ([]pattern, error) {
	var patterns []pattern
	for _, word := range words(c.FilesLists) {
		p, err := parsePattern(word, platforms)
		if err != nil {
			return nil, fmt.Errorf("exports.files.lists: %w", err)
		}
		patterns = append(patterns, p)
	}
	formats := words(c.FilesFormats)
	if len(formats) == 0 || slices.ContainsFunc(formats, func(f string) bool { return !slices.Contains(Formats(), f) }) {
		return nil, fmt.Errorf("exports.files.formats %q: use some of %v", c.FilesFormats, Formats())
	}
	for _, p := range patterns {
		if err := checkFormats(platforms[p.platform], formats); err != nil {
			return nil, fmt.Errorf("exports.files.formats: %w", err)
		}
	}
	return patterns, nil
}

// checkFormats finds formats that a platform does not take.
func checkFormats(p *Platform, formats []string) error {
	for _, f := range formats {
		if !slices.Contains(p.Formats, f) {
			return fmt.Errorf("%s takes %s, and not %s", p.Name, strings.Join(p.Formats, ", "), f)
		}
	}
	return nil
}

func parsePattern(word string, platforms map[string]*Platform) (pattern, error) {
	audience, platform, found := strings.Cut(word, ":")
	if _, err := path.Match(audience, "x"); err != nil || !found || audience == "" {
		return pattern{}, fmt.Errorf("%q is not AUDIENCE:PLATFORM", word)
	}
	if platforms[platform] == nil {
		return pattern{}, fmt.Errorf("%q: there is no platform %q", word, platform)
	}
	return pattern{audience, platform}, nil
}

// Manifest says what is in a directory of files.
type Manifest struct {
	Time  time.Time      `json:"time"`
	Lists []ManifestList `json:"lists"`
}

// ManifestList is one list of a manifest.
type ManifestList struct {
	Audience string         `json:"audience"`
	Platform string         `json:"platform"`
	Snapshot uint64         `json:"snapshot"`
	Time     time.Time      `json:"time"`
	Batch    uint64         `json:"batch"`
	People   uint64         `json:"people"`
	MinSize  int            `json:"min_size"`
	TooSmall bool           `json:"too_small"` // there is no file: fewer people than min_size would be in it
	Files    []ManifestFile `json:"files"`
}

// ManifestFile is one file of a manifest.
type ManifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Modes of what is written for others to fetch: their group may read it.
const (
	modeFiles    fs.FileMode = 0o640
	modeFilesDir fs.FileMode = 0o750
	nameManifest             = "manifest.json"
)

// Target says what WriteTo writes.
type Target struct {
	Dir     string
	Lists   []string // AUDIENCE:PLATFORM; an audience may be a pattern
	Formats []string
}

// WriteFiles makes the lists of the settings anew and writes them to the directory of the settings.
func (x *Exporter) WriteFiles(ctx context.Context) error {
	_, err := x.WriteTo(ctx, Target{Dir: x.cfg.FilesDir, Lists: words(x.cfg.FilesLists), Formats: words(x.cfg.FilesFormats)})
	return err
}

// WriteTo makes lists anew and writes them to a directory: each file takes the place of the older one at once, and the manifest comes last. Files
// of lists that the target does not name are removed. A list that fails keeps its older files, and does not keep others from being written.
func (x *Exporter) WriteTo(ctx context.Context, t Target) (*Manifest, error) {
	audiences, err := x.Audiences(ctx)
	if err != nil {
		return nil, err
	}
	lists, failed := x.match(audiences, t)
	if err := os.MkdirAll(t.Dir, modeFilesDir); err != nil {
		return nil, err
	}
	before := readManifest(t.Dir)
	failed = errors.Join(failed, x.Refresh(ctx, lists))
	if ctx.Err() != nil || errors.Is(failed, ErrRebuild) {
		return nil, errors.Join(failed, context.Cause(ctx))
	}
	m := &Manifest{Time: x.opt.Clock().UTC().Truncate(time.Millisecond), Lists: []ManifestList{}}
	for _, l := range lists {
		x.mu.Lock()
		s := x.standing[l]
		x.mu.Unlock()
		if s == nil {
			m.Lists = append(m.Lists, before[l]...) // failed says why; the files stay
			continue
		}
		of, err := x.writeList(ctx, t, s)
		if err != nil {
			failed = errors.Join(failed, err)
			m.Lists = append(m.Lists, before[l]...)
			continue
		}
		m.Lists = append(m.Lists, of)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	failed = errors.Join(failed, removeOthers(t, lists))
	return m, errors.Join(failed, writeSmall(filepath.Join(t.Dir, nameManifest), string(text)+"\n", modeFiles))
}

// readManifest gives what the manifest of a directory says of each list; nothing where there is none.
func readManifest(dir string) map[List][]ManifestList {
	var m Manifest
	if text, err := os.ReadFile(filepath.Join(dir, nameManifest)); err != nil || json.Unmarshal(text, &m) != nil {
		return nil
	}
	before := map[List][]ManifestList{}
	for _, of := range m.Lists {
		l := List{of.Audience, of.Platform}
		before[l] = append(before[l], of)
	}
	return before
}

// removeOthers removes the files of lists that are none of the target's: their audience is gone, rests, is held out, or the settings do not name
// it any more. What is not named as a list, or has no checksum beside it, is not ours.
func removeOthers(t Target, lists []List) error {
	entries, err := os.ReadDir(t.Dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		name, isSum := strings.CutSuffix(e.Name(), suffixSum)
		part := strings.Split(name, ".")
		if !isSum || len(part) != 3 || !audienceName.MatchString(part[0]) || !platformName.MatchString(part[1]) || !slices.Contains(Formats(), part[2]) {
			continue
		}
		if slices.Contains(lists, List{part[0], part[1]}) && slices.Contains(t.Formats, part[2]) {
			continue
		}
		path := filepath.Join(t.Dir, name)
		failed = errors.Join(failed, remove(path), remove(path+suffixSum))
	}
	return failed
}

// match gives the lists that the patterns of a target name, and errors for those that name none.
func (x *Exporter) match(audiences map[string]Audience, t Target) (lists []List, failed error) {
	for _, word := range t.Lists {
		p, err := parsePattern(word, x.platforms)
		if err == nil {
			err = checkFormats(x.platforms[p.platform], t.Formats)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		matched := false
		for name, a := range audiences {
			if is, _ := path.Match(p.audience, name); is && a.IsActive && audienceName.MatchString(name) {
				lists, matched = append(lists, List{name, p.platform}), true
			}
		}
		if !matched && audienceName.MatchString(p.audience) {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", word, ErrUnknown))
		}
	}
	slices.SortFunc(lists, compareLists)
	return slices.Compact(lists), failed
}

// writeList writes the files of one list, or removes them where nobody is to see it.
func (x *Exporter) writeList(ctx context.Context, t Target, s *Snapshot) (ManifestList, error) {
	of := ManifestList{Audience: s.Audience, Platform: s.Platform, Snapshot: s.Number, Time: s.Time, Batch: s.Batch, People: s.People, MinSize: s.MinSize, TooSmall: s.IsSmall, Files: []ManifestFile{}}
	for _, format := range t.Formats {
		name := s.Audience + "." + s.Platform + "." + format
		path := filepath.Join(t.Dir, name)
		if s.IsSmall {
			if err := errors.Join(remove(path), remove(path+suffixSum)); err != nil {
				return of, err
			}
			continue
		}
		from, err := x.Open(ctx, s, format, false)
		if err != nil {
			return of, fmt.Errorf("write %s: %w", name, err)
		}
		sum, err := writeArtefact(path, modeFiles, func(out io.Writer) error { _, err := io.Copy(out, from.File); return err })
		from.Close()
		if err != nil {
			return of, fmt.Errorf("write %s: %w", name, err)
		}
		if sum != from.SHA256 {
			return of, fmt.Errorf("write %s: its checksum is %s and should be %s", name, sum, from.SHA256)
		}
		of.Files = append(of.Files, ManifestFile{Name: name, Bytes: from.Bytes, SHA256: sum})
	}
	return of, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
