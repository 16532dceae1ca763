package main

import (
	"fmt"

	"example.com/truth/calc"
)

func main() { fmt.Println(calc.Add(1, 2)) }
