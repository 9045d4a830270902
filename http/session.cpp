#include "http/session.h"

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "core/log.h"
#include "http/admin_access.h"
#include "http/answer_coding.h"
#include "http/body_reader.h"
#include "http/head_parser.h"
#include "http/query.h"
#include "http/request_context.h"
#include "http/response.h"

namespace xcloud {
namespace {

constexpr std::string_view kNoEndpoint = "none";
// Connections come and go within a second or so.
constexpr std::chrono::milliseconds kRetryAfterFull{1000};

enum class HeadOutcome { kRead, kRefused, kClosed };

class Session {
 public:
  Session(Connection& connection, WorkerState& worker)
      : connection_(connection),
        worker_(worker),
        config_(worker.server.config),
        parser_(static_cast<std::size_t>(worker.server.config.header_limit_bytes)) {}

  Task<void> Run();

 private:
  Task<HeadOutcome> ReadHead();
  Task<bool> ServeRequest();
  Task<Response> Dispatch(RequestContext& context);
  Task<Response> CallHandler(RequestContext& context);
  Task<void> Refuse();
  Task<bool> Reply(const Response& response, std::string_view request_id, bool keep_alive);
  std::optional<HttpError> Route(RequestContext& context);
  void Account(RequestContext& context, const Response& response);
  bool draining() const { return worker_.server.draining.load(std::memory_order_relaxed); }
  TimePoint Now() const { return worker_.server.clock.Now(); }

  Connection& connection_;
  WorkerState& worker_;
  const ServerConfig& config_;
  HeadParser parser_;
  HttpError refusal_;
  TimePoint first_byte_{};
  Handler handler_ = nullptr;
  std::string_view endpoint_ = kNoEndpoint;  // of the current request, for metrics
};

Task<void> Session::Run() {
  for (bool go_on = true; go_on;) {
    const HeadOutcome outcome = co_await ReadHead();
    if (outcome == HeadOutcome::kClosed) co_return;
    if (outcome == HeadOutcome::kRefused) {
      co_await Refuse();
      co_return;
    }
    go_on = co_await ServeRequest();
  }
}

// Waits for a request (idle limit), then reads its head (absolute limit from the first byte).
Task<HeadOutcome> Session::ReadHead() {
  parser_.Reset();
  // Some clients end a body with a line break too many; that is no beginning of a request.
  while (connection_.Buffered().starts_with("\r\n")) connection_.Consume(2);
  if (connection_.Buffered().empty()) {
    if (draining()) co_return HeadOutcome::kClosed;
    connection_.set_idle(true);
    connection_.LimitReads(std::chrono::milliseconds(config_.idle_timeout_ms));
    const bool came = co_await connection_.ReadFirst();
    connection_.set_idle(false);
    connection_.NoLimit();
    if (!came) co_return HeadOutcome::kClosed;
  }
  first_byte_ = connection_.last_read_at();
  bool limited = false;
  for (;;) {
    connection_.Consume(parser_.Feed(connection_.Buffered()));
    if (parser_.state() == HeadParser::State::kDone) break;
    if (parser_.state() == HeadParser::State::kRefused) {
      refusal_ = parser_.refusal();
      co_return HeadOutcome::kRefused;
    }
    if (!std::exchange(limited, true)) {
      connection_.LimitReads(std::chrono::milliseconds(config_.header_timeout_ms));
    }
    const bool more = co_await connection_.ReadMore();
    if (more) continue;
    if (!connection_.timed_out()) co_return HeadOutcome::kClosed;
    refusal_ = MakeHttpError(408, "the request header did not come in time");
    co_return HeadOutcome::kRefused;
  }
  connection_.NoLimit();
  co_return HeadOutcome::kRead;
}

// A request that cannot be read to its end also ends the connection.
Task<void> Session::Refuse() {
  Response response = ErrorResponse(refusal_, Now() - first_byte_);
  response.close = true;
  co_await Reply(response, worker_.ids.Next(), false);
  worker_.metrics.CountRequest(kNoEndpoint, {}, refusal_.status, Now() - first_byte_);
  co_await connection_.Linger();
}

Task<bool> Session::Reply(const Response& response, std::string_view request_id, bool keep_alive) {
  HeadOptions options;
  options.keep_alive = keep_alive;
  options.http_1_0 = parser_.state() == HeadParser::State::kDone && parser_.head().http_1_0;
  options.now = worker_.server.clock.WallNow();
  options.request_id = request_id;
  std::string trace_response;
  if (parser_.state() == HeadParser::State::kDone) {
    trace_response = TraceResponseOf(parser_.head().Header("traceparent"), worker_.ids);
    options.trace_response = trace_response;
  }
  const std::string head = SerializeHead(response, options);
  const bool head_only =
      parser_.state() == HeadParser::State::kDone && parser_.head().verb == Verb::kHead;
  const std::string_view body = head_only ? std::string_view() : response.payload();
  const bool written =
      co_await connection_.Write(head, body, std::chrono::milliseconds(config_.write_timeout_ms));
  co_return written;
}

std::string_view WithoutOrigin(std::string_view target) {
  if (!target.starts_with("http://") && !target.starts_with("https://")) return target;
  const std::size_t path = target.find('/', target.find("//") + 2);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

RequestContext MakeContext(WorkerState& worker, Connection& connection, const RequestHead& head,
                           TimePoint first_byte) {
  const std::string_view target = WithoutOrigin(head.target);
  const std::size_t mark = target.find('?');
  const std::string_view sent_id = head.Header("x-request-id");
  const Clock& clock = worker.server.clock;
  return RequestContext{
      .worker = worker,
      .connection = connection,
      .head = head,
      .body = BodyReader(connection, head, worker.server.config, worker.server.bodies),
      .path = target.substr(0, mark),
      .query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1),
      .parameter = {},
      .parameter2 = {},
      .form = ErrorFormOf(target.substr(0, mark)),
      .first_byte = first_byte,
      .called_at = clock.WallNow() -
                   std::chrono::duration_cast<WallTime::duration>(clock.Now() - first_byte),
      .request_id = IsSaneRequestId(sent_id) ? std::string(sent_id) : worker.ids.Next(),
      .trace_id = std::string(TraceIdOf(head.Header("traceparent"))),
  };
}

// False when the connection ends after this request.
Task<bool> Session::ServeRequest() {
  RequestContext context = MakeContext(worker_, connection_, parser_.head(), first_byte_);
  const Response response = co_await Dispatch(context);
  bool keep_alive = parser_.head().keep_alive && !response.close && !draining();
  // A body that will not be read cannot be skipped over either: say so before it is found out.
  if (!context.body.CanDiscardRest()) keep_alive = false;
  bool written = false;
  if (response.status != kStatusClientGone) {
    written = co_await Reply(response, context.request_id, keep_alive);
  }
  Account(context, response);
  if (!written) co_return false;
  if (keep_alive) {
    const bool discarded = co_await context.body.DiscardRest();
    co_return discarded;
  }
  if (!context.body.complete() || connection_.HasUnread()) co_await connection_.Linger();
  co_return false;
}

// Clients of the Open Inference Protocol are told in the words that they know.
HttpError NothingAt(const RequestContext& context) {
  if (context.form == ErrorForm::kProtocol) return MakeHttpError(404, "Not Found");
  return MakeHttpError(404, "there is nothing at " + std::string(context.path.substr(0, 200)));
}

HttpError WrongMethod(const RequestContext& context, const std::string& allow) {
  HttpError error =
      MakeHttpError(405, context.form == ErrorForm::kProtocol ? "Method Not Allowed"
                                                              : "this path takes " + allow);
  error.code = kCodeBadMethod;
  error.allow = allow;
  return error;
}

std::optional<HttpError> Session::Route(RequestContext& context) {
  handler_ = nullptr;
  endpoint_ = kNoEndpoint;
  if (context.path.empty() || context.path.front() != '/') {
    return MakeHttpError(400, "the request target must be a path");
  }
  if (context.path.starts_with(kAdminPath)) {
    if (config_.admin == "off") return NothingAt(context);
    auto error = CheckAdminAccess(config_.admin, CallerOf(connection_, context.head));
    if (error) return error;
  }
  const RouteMatch match = worker_.server.router.Match(context.head.verb, context.path);
  if (match.route == nullptr) {
    if (match.allow.empty()) return NothingAt(context);
    return WrongMethod(context, match.allow);
  }
  if (auto error = CheckAcceptedCodings(context.head)) return error;
  auto first = PercentDecode(match.parameters[0], false);
  auto second = PercentDecode(match.parameters[1], false);
  if (!first || !second) return MakeHttpError(400, "the path has a malformed %-escape");
  context.parameter = std::move(*first);
  context.parameter2 = std::move(*second);
  handler_ = match.route->handler;
  endpoint_ = match.route->name;
  return std::nullopt;
}

Task<Response> Session::Dispatch(RequestContext& context) {
  if (const auto error = Route(context)) co_return context.Fail(*error);
  Response response = co_await CallHandler(context);
  co_return response;
}

Task<Response> Session::CallHandler(RequestContext& context) {
  std::string what;
  try {
    Response response = co_await handler_(context);
    co_await EncodeAnswer(context, response);
    co_return response;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "unknown exception";
  }
  spdlog::error("request {}: {}", context.request_id, what);
  Response response = context.Fail(MakeHttpError(500, "internal error"));
  response.close = true;
  if (context.call_record) context.call_record->code = 500;
  co_return response;
}

void Session::Account(RequestContext& context, const Response& response) {
  const TimePoint written = Now();
  const Duration elapsed = written - context.first_byte;
  worker_.metrics.CountRequest(endpoint_, context.model, response.status, elapsed);
  if (response.status == 504 && context.deadline.Expired(written)) {
    worker_.metrics.ObserveExpiry(context.model, written - context.deadline.when());
  }
  if (context.stages) worker_.metrics.ObserveStages(context.model, *context.stages, written);
  if (!context.call_record) return;
  context.call_record->elapse_ms = ToMilliseconds(elapsed);
  context.call_record->http_status = response.status;
  worker_.server.call_log.Append(std::move(*context.call_record));
}

}  // namespace

Task<void> ServeConnection(std::shared_ptr<Connection> connection, WorkerState& worker) {
  Session session(*connection, worker);
  co_await session.Run();
}

Task<void> RefuseConnection(std::shared_ptr<Connection> connection, WorkerState& worker,
                            Admission admission) {
  HttpError error =
      admission == Admission::kAddressFull
          ? MakeHttpError(429, "too many connections from this address; close some of them")
          : MakeHttpError(503, "too many connections; try again later");
  error.retry_after = kRetryAfterFull;
  const Response response = ErrorResponse(error, Duration{});
  HeadOptions options;
  options.keep_alive = false;
  options.now = worker.server.clock.WallNow();
  const std::string head = SerializeHead(response, options);
  const std::chrono::milliseconds limit(worker.server.config.write_timeout_ms);
  const bool written = co_await connection->Write(head, response.payload(), limit);
  if (written) co_await connection->Linger();
}

}  // namespace xcloud
