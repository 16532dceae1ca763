#ifndef OPS_H
#define OPS_H
struct shape {
  int rows;
  int columns;
};
int shape_size(const struct shape *shape);
int shape_add(int left, int right);
#endif
