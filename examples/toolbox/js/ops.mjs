export function size(rows, columns) {
  return rows * columns;
}
