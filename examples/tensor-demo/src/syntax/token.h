// The words of the language.
#pragma once

#include "support/source.h"

#include <string_view>

namespace loom {

enum class TokenKind {
  End,
  Unknown,
  Name,
  Number,
  Func,
  Let,
  Return,
  LeftParen,
  RightParen,
  LeftBrace,
  RightBrace,
  LeftBracket,
  RightBracket,
  Comma,
  Colon,
  Equal,
  Arrow,
  Plus,
  Minus,
  Star,
  Slash,
  At,
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text;
  Location location;
};

/// How a kind is called in a diagnostic: `'->'`, `a name`.
std::string_view describe(TokenKind kind);

/// The keyword that is spelled so, or Name.
TokenKind keywordOrName(std::string_view text);

} // namespace loom
