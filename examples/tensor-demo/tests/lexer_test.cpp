#include "check.h"
#include "syntax/lexer.h"

#include <sstream>

using namespace loom;

static std::string kinds(std::string_view text) {
  std::ostringstream out;
  for (const Token &token : tokenize(text))
    out << describe(token.kind) << ' ';
  return out.str();
}

TEST(keywords_are_not_names) { CHECK_EQUAL(kinds("func let lets"), "'func' 'let' a name the end of the file "); }

TEST(comments_run_to_the_end_of_the_line) { CHECK_EQUAL(kinds("# a @ b\nx"), "a name the end of the file "); }

TEST(an_arrow_is_one_token) { CHECK_EQUAL(kinds("-> -"), "'->' '-' the end of the file "); }

TEST(numbers_keep_fraction_and_exponent) {
  for (const std::string text : {"12", "0.5", "1e-6", "2.5e+3"})
    CHECK_EQUAL(tokenize(text).front().text, text);
}

TEST(locations_count_lines_and_columns_from_one) {
  const std::vector<Token> tokens = tokenize("a\n  b");
  CHECK_EQUAL(tokens[0].location.line, 1u);
  CHECK_EQUAL(tokens[1].location.line, 2u);
  CHECK_EQUAL(tokens[1].location.column, 3u);
}

TEST(an_unknown_character_is_a_token_of_its_own) {
  CHECK_EQUAL(kinds("a ? b"), "a name an unknown character a name the end of the file ");
}
