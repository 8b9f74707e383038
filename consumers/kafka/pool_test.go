package kafka

import "testing"

// TestPool: memory comes back for as much as it was made for, and no more is kept than may be.
func TestPool(t *testing.T) {
	t.Parallel()
	var c classes[byte]
	large, small := c.get(1<<20), c.get(1000)
	if len(large) != 0 || cap(large) != 1<<20 || cap(small) != 1024 {
		t.Fatalf("room for %d and %d", cap(large), cap(small))
	}
	c.put(large, 2<<20)
	c.put(small, 2<<20)
	if again := c.get(700); &again[:1][0] != &small[:1][0] {
		t.Error("a small slice is not the one that was put")
	}
	if again := c.get(100); cap(again) != 128 {
		t.Errorf("little takes the place of much: room for %d", cap(again))
	}
	if again := c.get(1 << 20); &again[:1][0] != &large[:1][0] || c.held != 0 {
		t.Errorf("a large slice is not the one that was put; %d are held", c.held)
	}
	for range 5 {
		c.put(make([]byte, 0, 900_000), 2<<20)
	}
	if c.held != 1_800_000 {
		t.Errorf("%d bytes are held, the most is %d", c.held, 2<<20)
	}
	if again := c.get(500_000); cap(again) != 900_000 {
		t.Errorf("what grew is not used: room for %d", cap(again))
	}
	p := newPool(1000, 1<<20)
	for range 100 {
		p.expanded(1000, 3000)
	}
	if b := p.GetDecompressBytes(make([]byte, 100_000), 0); cap(b) < 300_000 || cap(b) > 1<<19 {
		t.Errorf("room for %d bytes where three times 100,000 are expected", cap(b))
	}
}
