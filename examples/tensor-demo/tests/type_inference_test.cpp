#include "check.h"
#include "ir/builder.h"

using namespace loom;

namespace {

struct Fixture {
  Function function{"f", {}};
  Builder builder{function};

  Operation *value(ElementType element, Shape shape) { return builder.parameter("p", {element, std::move(shape)}); }
};

} // namespace

TEST(a_product_takes_rows_and_columns) {
  Fixture f;
  const Operation *product =
      f.builder.matmul(f.value(ElementType::F32, {2, 3}), f.value(ElementType::F32, {3, 5}));
  CHECK_EQUAL(toString(product->type()), "f32[2, 5]");
}

TEST(inner_extents_of_a_product_must_agree) {
  Fixture f;
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.matmul(f.value(ElementType::F32, {2, 3}),
                                                      f.value(ElementType::F32, {2, 3}))),
              "matmul cannot multiply f32[2, 3] by f32[2, 3]");
}

TEST(element_types_do_not_mix) {
  Fixture f;
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.binary(Opcode::Add, f.value(ElementType::F32, {2}),
                                                      f.value(ElementType::I32, {2}))),
              "add needs operands of one type, not f32[2] and i32[2]");
}

TEST(roots_need_floating_point) {
  Fixture f;
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.unary(Opcode::Sqrt, f.value(ElementType::I64, {2}))),
              "sqrt needs floating point, not i64[2]");
}

TEST(a_transpose_names_each_axis_once) {
  Fixture f;
  Operation *x = f.value(ElementType::F32, {2, 3});
  CHECK_EQUAL(toString(f.builder.transpose(x, {1, 0})->type()), "f32[3, 2]");
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.transpose(x, {0, 0})), "transpose needs each axis of f32[2, 3] once");
}

TEST(a_reshape_keeps_the_elements) {
  Fixture f;
  Operation *x = f.value(ElementType::F32, {2, 3});
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.reshape(x, {7})), "reshape cannot turn f32[2, 3] into [7]");
}

TEST(a_reduction_removes_its_axis) {
  Fixture f;
  Operation *x = f.value(ElementType::F64, {2, 3});
  CHECK_EQUAL(toString(f.builder.reduce(Opcode::ReduceSum, x, 0)->type()), "f64[3]");
  CHECK_EQUAL(MESSAGE_OF(BuildError, f.builder.reduce(Opcode::ReduceMax, x, 2)),
              "reduce_max needs an axis of f64[2, 3]");
}
