#include "check.h"
#include "codegen/c_emitter.h"
#include "codegen/dot_emitter.h"
#include "codegen/fuse_loops.h"
#include "codegen/lower_to_loops.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

static std::string cOf(const std::string &text) {
  const Module module = moduleFrom(text);
  parsePipeline("default").run(module);
  LoopProgram program = lowerToLoops(*module.functions().back());
  fuseLoops(program);
  std::ostringstream out;
  emitC(program, out);
  return out.str();
}

TEST(a_fused_loop_is_one_statement) {
  CHECK_EQUAL(cOf("func f(x: f32[2, 3], b: f32[3]) -> f32[2, 3] { return relu(x + b) }"),
              "\n"
              "void f(const float *x, const float *b, float *result) {\n"
              "  for (long i0 = 0; i0 < 2; ++i0)\n"
              "    for (long i1 = 0; i1 < 3; ++i1)\n"
              "      result[i0 * 3 + i1] = ((x[i0 * 3 + i1] + b[i1]) > 0 ? (x[i0 * 3 + i1] + b[i1]) : 0);\n"
              "}\n");
}

TEST(a_scalar_has_index_zero) {
  CHECK_EQUAL(cOf("func f(x: i64[4]) -> i64 { return sum(x, [0]) }"),
              "\n"
              "void f(const long long *x, long long *result) {\n"
              "  result[0] = 0;\n"
              "  for (long i0 = 0; i0 < 4; ++i0)\n"
              "    result[0] += x[i0];\n"
              "}\n");
}

TEST(data_flow_is_drawn_with_types) {
  const Module module = moduleFrom("func f(x: f32[2]) -> f32[2] { return exp(x) }");
  std::ostringstream out;
  emitDot(*module.find("f"), out);
  CHECK_EQUAL(out.str(), "digraph f {\n"
                         "  node [shape=box];\n"
                         "  n0 [label=\"parameter\\nf32[2]\"];\n"
                         "  n1 [label=\"exp\\nf32[2]\", style=bold];\n"
                         "  n0 -> n1;\n"
                         "}\n");
}
