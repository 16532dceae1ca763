package ops

import "testing"

func TestSize(t *testing.T) {
	if got := Size(3, 4); got != 12 {
		t.Errorf("a shape of 3 by 4 has %d elements", got)
	}
}
