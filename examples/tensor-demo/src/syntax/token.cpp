#include "syntax/token.h"

#include <unordered_map>

namespace loom {

std::string_view describe(TokenKind kind) {
  switch (kind) {
  case TokenKind::End:
    return "the end of the file";
  case TokenKind::Unknown:
    return "an unknown character";
  case TokenKind::Name:
    return "a name";
  case TokenKind::Number:
    return "a number";
  case TokenKind::Func:
    return "'func'";
  case TokenKind::Let:
    return "'let'";
  case TokenKind::Return:
    return "'return'";
  case TokenKind::LeftParen:
    return "'('";
  case TokenKind::RightParen:
    return "')'";
  case TokenKind::LeftBrace:
    return "'{'";
  case TokenKind::RightBrace:
    return "'}'";
  case TokenKind::LeftBracket:
    return "'['";
  case TokenKind::RightBracket:
    return "']'";
  case TokenKind::Comma:
    return "','";
  case TokenKind::Colon:
    return "':'";
  case TokenKind::Equal:
    return "'='";
  case TokenKind::Arrow:
    return "'->'";
  case TokenKind::Plus:
    return "'+'";
  case TokenKind::Minus:
    return "'-'";
  case TokenKind::Star:
    return "'*'";
  case TokenKind::Slash:
    return "'/'";
  case TokenKind::At:
    return "'@'";
  }
  return "";
}

TokenKind keywordOrName(std::string_view text) {
  static const std::unordered_map<std::string_view, TokenKind> keywords = {
      {"func", TokenKind::Func},
      {"let", TokenKind::Let},
      {"return", TokenKind::Return},
  };
  const auto found = keywords.find(text);
  return found == keywords.end() ? TokenKind::Name : found->second;
}

} // namespace loom
