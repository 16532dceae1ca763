package calc

import (
	"fmt"
	"testing"
)

func TestAdd(t *testing.T) {
	fmt.Println("[5/10] a line that looks like a step")
	if Add(1, 2) != 3 {
		t.Fatal("no")
	}
}

func TestWrong(t *testing.T) {
	t.Errorf("got %d, want 5", Add(2, 2))
}

func TestLeftOut(t *testing.T) {
	t.Skip("not here")
}

func TestTable(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("case_%d", n), func(t *testing.T) {
			if n == 2 {
				t.Fatal("two is wrong")
			}
		})
	}
}
