#include "http/router.h"

#include <cstddef>

namespace xcloud {
namespace {

std::string_view VerbName(Verb verb) {
  switch (verb) {
    case Verb::kGet:
      return "GET";
    case Verb::kHead:
      return "HEAD";
    case Verb::kPost:
      return "POST";
    case Verb::kPut:
      return "PUT";
    case Verb::kPatch:
      return "PATCH";
    case Verb::kOther:
      break;
  }
  return "OTHER";
}

std::string_view TakeSegment(std::string_view& path) {
  const std::size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  return segment;
}

bool Matches(std::string_view pattern, std::string_view path, std::string_view& parameter) {
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view given = TakeSegment(path);
    if (!wanted.empty() && wanted.front() == '{') {
      if (given.empty()) return false;
      parameter = given;
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

void AddMethod(std::string& allow, std::string_view method) {
  if (!allow.empty()) allow += ", ";
  allow += method;
}

}  // namespace

RouteMatch Router::Match(Verb verb, std::string_view path) const {
  const Verb wanted = verb == Verb::kHead ? Verb::kGet : verb;
  RouteMatch match;
  for (const Route& route : routes_) {
    std::string_view parameter;
    if (!Matches(route.pattern, path, parameter)) continue;
    if (route.verb == wanted) return {&route, parameter, {}};
    AddMethod(match.allow, VerbName(route.verb));
    if (route.verb == Verb::kGet) AddMethod(match.allow, "HEAD");
  }
  return match;
}

}  // namespace xcloud
