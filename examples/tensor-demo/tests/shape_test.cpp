#include "check.h"
#include "ir/shape.h"

using namespace loom;

TEST(strides_are_row_major) { CHECK((Shape{2, 3, 4}.strides() == std::vector<Index>{12, 4, 1})); }

TEST(a_scalar_has_one_element) { CHECK_EQUAL(Shape().elementCount(), 1); }

TEST(shapes_broadcast_from_the_innermost_axis) {
  CHECK_EQUAL(*broadcastShapes({4, 3}, {3}), (Shape{4, 3}));
  CHECK_EQUAL(*broadcastShapes({4, 1}, {1, 5}), (Shape{4, 5}));
  CHECK_EQUAL(*broadcastShapes({2, 2}, {}), (Shape{2, 2}));
}

TEST(different_extents_do_not_broadcast) {
  CHECK_EQUAL(broadcastShapes({4, 3}, {4}).reason(), "shapes [4, 3] and [4] do not broadcast");
}

TEST(a_repeated_axis_has_no_stride) { CHECK((broadcastStrides({4, 1}, {2, 4, 3}) == std::vector<Index>{0, 1, 0})); }

TEST(a_permutation_moves_extents) { CHECK_EQUAL((Shape{2, 3, 4}.permuted({2, 0, 1})), (Shape{4, 2, 3})); }

TEST(an_axis_can_be_left_out) { CHECK_EQUAL((Shape{2, 3, 4}.without(1)), (Shape{2, 4})); }
