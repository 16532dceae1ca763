package ops

// Size is how many elements a shape has.
func Size(rows, columns int) int {
	return rows * columns
}
