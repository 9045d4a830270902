#include "http/router.h"

#include <cstddef>

#include "core/status.h"

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
    case Verb::kDelete:
      return "DELETE";
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

using Parameters = std::array<std::string_view, kMaxParameters>;

bool Matches(std::string_view pattern, std::string_view path, Parameters& parameters) {
  std::size_t found = 0;
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view given = TakeSegment(path);
    if (!wanted.empty() && wanted.front() == '{') {
      if (given.empty()) return false;
      XC_CHECK(found < kMaxParameters);
      parameters[found++] = given;
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

// Several patterns may match one path. No method's name is part of another's.
void AddMethod(std::string& allow, std::string_view method) {
  if (allow.find(method) != std::string::npos) return;
  if (!allow.empty()) allow += ", ";
  allow += method;
}

}  // namespace

RouteMatch Router::Match(Verb verb, std::string_view path) const {
  const Verb wanted = verb == Verb::kHead ? Verb::kGet : verb;
  RouteMatch match;
  for (const Route& route : routes_) {
    Parameters parameters;
    if (!Matches(route.pattern, path, parameters)) continue;
    if (route.verb == wanted) return {&route, parameters, {}};
    AddMethod(match.allow, VerbName(route.verb));
    if (route.verb == Verb::kGet) AddMethod(match.allow, "HEAD");
  }
  return match;
}

}  // namespace xcloud
