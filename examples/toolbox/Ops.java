public class Ops {
  static int size(int rows, int columns) {
    return rows * columns;
  }

  public static void main(String[] arguments) {
    int size = size(3, 4);
    if (size != 12) {
      throw new IllegalStateException("a shape of 3 by 4 has " + size + " elements");
    }
  }
}
