#include <stdio.h>
#include <stdlib.h>

#include "ops.h"

int main(void) {
  struct shape shape = {3, 4};
  if (shape_size(&shape) != 12) {
    fprintf(stderr, "a shape of 3 by 4 has %d elements\n", shape_size(&shape));
    return 1;
  }
  puts("all shapes have their sizes");
  return 0;
}
