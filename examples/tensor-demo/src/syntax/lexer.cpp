#include "syntax/lexer.h"

#include <cctype>

namespace loom {
namespace {

bool startsName(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool continuesName(char c) { return startsName(c) || std::isdigit(static_cast<unsigned char>(c)); }
bool isDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

class Lexer {
public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  Token next() {
    skipBlanks();
    if (rest_.empty())
      return take(TokenKind::End, 0);
    if (startsName(rest_.front())) {
      const std::size_t length = lengthWhile(continuesName);
      return take(keywordOrName(rest_.substr(0, length)), length);
    }
    if (isDigit(rest_.front()))
      return take(TokenKind::Number, numberLength());
    if (rest_.substr(0, 2) == "->")
      return take(TokenKind::Arrow, 2);
    return take(punctuation(rest_.front()), 1);
  }

private:
  static TokenKind punctuation(char c) {
    switch (c) {
    case '(':
      return TokenKind::LeftParen;
    case ')':
      return TokenKind::RightParen;
    case '{':
      return TokenKind::LeftBrace;
    case '}':
      return TokenKind::RightBrace;
    case '[':
      return TokenKind::LeftBracket;
    case ']':
      return TokenKind::RightBracket;
    case ',':
      return TokenKind::Comma;
    case ':':
      return TokenKind::Colon;
    case '=':
      return TokenKind::Equal;
    case '+':
      return TokenKind::Plus;
    case '-':
      return TokenKind::Minus;
    case '*':
      return TokenKind::Star;
    case '/':
      return TokenKind::Slash;
    case '@':
      return TokenKind::At;
    default:
      return TokenKind::Unknown;
    }
  }

  void skipBlanks() {
    while (!rest_.empty()) {
      if (rest_.front() == '#')
        advance(std::min(rest_.find('\n'), rest_.size()));
      else if (std::isspace(static_cast<unsigned char>(rest_.front())))
        advance(1);
      else
        return;
    }
  }

  template <typename Predicate> std::size_t lengthWhile(Predicate predicate, std::size_t from = 0) const {
    while (from < rest_.size() && predicate(rest_[from]))
      ++from;
    return from;
  }

  /// `12`, `0.5`, `1e-6`.
  std::size_t numberLength() const {
    std::size_t length = lengthWhile(isDigit);
    if (length < rest_.size() && rest_[length] == '.')
      length = lengthWhile(isDigit, length + 1);
    if (length < rest_.size() && rest_[length] == 'e') {
      const bool hasSign = length + 1 < rest_.size() && (rest_[length + 1] == '-' || rest_[length + 1] == '+');
      length = lengthWhile(isDigit, length + (hasSign ? 2 : 1));
    }
    return length;
  }

  Token take(TokenKind kind, std::size_t length) {
    const Token token{kind, rest_.substr(0, length), location_};
    advance(length);
    return token;
  }

  void advance(std::size_t length) {
    for (const char c : rest_.substr(0, length)) {
      if (c == '\n')
        location_ = {location_.line + 1, 1};
      else
        ++location_.column;
    }
    rest_.remove_prefix(length);
  }

  std::string_view rest_;
  Location location_{1, 1};
};

} // namespace

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  Lexer lexer(text);
  do
    tokens.push_back(lexer.next());
  while (tokens.back().kind != TokenKind::End);
  return tokens;
}

} // namespace loom
