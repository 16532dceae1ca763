#include "syntax/parser.h"

#include "syntax/lexer.h"

#include <cstdlib>
#include <optional>
#include <utility>

namespace loom {
namespace {

using namespace ast;

/// Leaves the function being parsed; the diagnostic is already recorded.
struct SyntaxError {};

class Parser {
public:
  Parser(std::vector<Token> tokens, Diagnostics &diagnostics)
      : tokens_(std::move(tokens)), diagnostics_(diagnostics) {}

  Module module() {
    Module module;
    while (peek().kind != TokenKind::End) {
      try {
        module.functions.push_back(function());
      } catch (const SyntaxError &) {
        skipToNextFunction();
      }
    }
    return module;
  }

private:
  ast::Function function() {
    ast::Function function;
    function.location = expect(TokenKind::Func).location;
    function.name = expect(TokenKind::Name).text;
    expect(TokenKind::LeftParen);
    if (peek().kind != TokenKind::RightParen)
      do
        function.parameters.push_back(parameter());
      while (accept(TokenKind::Comma));
    expect(TokenKind::RightParen);
    expect(TokenKind::Arrow);
    function.resultType = type();
    expect(TokenKind::LeftBrace);
    while (accept(TokenKind::Let))
      function.lets.push_back(let());
    expect(TokenKind::Return);
    function.result = sum();
    expect(TokenKind::RightBrace);
    return function;
  }

  Parameter parameter() {
    const Token name = expect(TokenKind::Name);
    expect(TokenKind::Colon);
    return {name.location, std::string(name.text), type()};
  }

  TensorType type() {
    const Token name = expect(TokenKind::Name);
    const std::optional<ElementType> element = parseElementType(name.text);
    if (!element)
      fail(name.location, "unknown element type '" + std::string(name.text) + "'");
    return {*element, peek().kind == TokenKind::LeftBracket ? Shape(extents()) : Shape()};
  }

  /// `[4, 8]`
  std::vector<Index> extents() {
    std::vector<Index> extents;
    expect(TokenKind::LeftBracket);
    do
      extents.push_back(std::strtoll(std::string(expect(TokenKind::Number).text).c_str(), nullptr, 10));
    while (accept(TokenKind::Comma));
    expect(TokenKind::RightBracket);
    return extents;
  }

  Let let() {
    const Token name = expect(TokenKind::Name);
    expect(TokenKind::Equal);
    return {name.location, std::string(name.text), sum()};
  }

  // sum := product (('+' | '-') product)*
  ExpressionPtr sum() {
    ExpressionPtr left = product();
    while (true) {
      const Location location = peek().location;
      if (accept(TokenKind::Plus))
        left = make(location, Binary{Operator::Add, std::move(left), product()});
      else if (accept(TokenKind::Minus))
        left = make(location, Binary{Operator::Subtract, std::move(left), product()});
      else
        return left;
    }
  }

  // product := unary (('*' | '/' | '@') unary)*
  ExpressionPtr product() {
    ExpressionPtr left = unary();
    while (true) {
      const Location location = peek().location;
      if (accept(TokenKind::Star))
        left = make(location, Binary{Operator::Multiply, std::move(left), unary()});
      else if (accept(TokenKind::Slash))
        left = make(location, Binary{Operator::Divide, std::move(left), unary()});
      else if (accept(TokenKind::At))
        left = make(location, Binary{Operator::MatMul, std::move(left), unary()});
      else
        return left;
    }
  }

  // unary := '-' unary | primary
  ExpressionPtr unary() {
    const Location location = peek().location;
    if (accept(TokenKind::Minus))
      return make(location, Negation{unary()});
    return primary();
  }

  // primary := number | name | name '(' arguments ')' | '(' sum ')'
  ExpressionPtr primary() {
    const Token token = take();
    switch (token.kind) {
    case TokenKind::Number:
      return make(token.location, Number{std::strtod(std::string(token.text).c_str(), nullptr)});
    case TokenKind::Name:
      if (accept(TokenKind::LeftParen))
        return call(token);
      return make(token.location, Name{std::string(token.text)});
    case TokenKind::LeftParen: {
      ExpressionPtr inner = sum();
      expect(TokenKind::RightParen);
      return inner;
    }
    default:
      fail(token.location, "expected an expression, found " + std::string(describe(token.kind)));
    }
  }

  ExpressionPtr call(const Token &callee) {
    Call call{std::string(callee.text), {}, {}};
    if (peek().kind != TokenKind::RightParen)
      do {
        if (peek().kind == TokenKind::LeftBracket) {
          call.extents = extents();
          break;
        }
        call.arguments.push_back(sum());
      } while (accept(TokenKind::Comma));
    expect(TokenKind::RightParen);
    return make(callee.location, std::move(call));
  }

  template <typename Node> static ExpressionPtr make(Location location, Node node) {
    return std::make_unique<Expression>(Expression{location, std::move(node)});
  }

  const Token &peek() const { return tokens_[position_]; }

  Token take() {
    const Token token = peek();
    if (token.kind != TokenKind::End)
      ++position_;
    return token;
  }

  bool accept(TokenKind kind) {
    const bool matches = peek().kind == kind;
    if (matches)
      take();
    return matches;
  }

  Token expect(TokenKind kind) {
    if (peek().kind != kind)
      fail(peek().location,
           "expected " + std::string(describe(kind)) + ", found " + std::string(describe(peek().kind)));
    return take();
  }

  [[noreturn]] void fail(Location location, std::string message) {
    diagnostics_.error(location, std::move(message));
    throw SyntaxError{};
  }

  void skipToNextFunction() {
    do
      take();
    while (peek().kind != TokenKind::Func && peek().kind != TokenKind::End);
  }

  std::vector<Token> tokens_;
  std::size_t position_ = 0;
  Diagnostics &diagnostics_;
};

} // namespace

ast::Module parse(const SourceFile &source, Diagnostics &diagnostics) {
  return Parser(tokenize(source.text()), diagnostics).module();
}

} // namespace loom
