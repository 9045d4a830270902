#include "bench/load_generator.h"

#include <algorithm>
#include <deque>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>

#include "bench/client_connection.h"
#include "core/status.h"

namespace xcloud {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Connected in advance, so that a send need not wait for the handshake.
constexpr std::size_t kSpareConnections = 2;
// An idle connection older than this may be about to be closed by the server; it is not reused.
constexpr Duration kMaxIdle = std::chrono::seconds(10);
// A closed-loop client waits so long after a failed connect instead of spinning.
constexpr Duration kReconnectPause = std::chrono::milliseconds(50);
// So long after a 429 or 503 likewise: refused at once, it would ask thousands of times a second.
constexpr Duration kRefusedPause = std::chrono::milliseconds(50);
// From the start of a run to its instant 0: time to arm the timer.
constexpr Duration kStartDelay = std::chrono::milliseconds(2);

double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

double PerSecond(std::uint64_t n, Duration d) {
  return d > Duration(0) ? static_cast<double>(n) / Seconds(d) : 0;
}

double Share(std::uint64_t n, std::uint64_t of) {
  return of > 0 ? static_cast<double>(n) / static_cast<double>(of) : 0;
}

}  // namespace

double LoadResult::behind_share() const {
  return Share(behind, offered);
}
double LoadResult::offered_per_s() const {
  return PerSecond(offered, length);
}
double LoadResult::achieved_per_s() const {
  return PerSecond(ok, std::max(length, elapsed));
}
double LoadResult::goodput_per_s() const {
  return PerSecond(within_slo, length);
}
double LoadResult::goodput_share() const {
  return Share(within_slo, offered);
}
std::uint64_t LoadResult::refused() const {
  std::uint64_t sum = 0;
  for (const int status : {429, 503}) {
    const auto found = refusal_latency.find(status);
    if (found != refusal_latency.end()) sum += found->second.count();
  }
  return sum;
}
double LoadResult::admitted_share() const {
  return Share(within_slo, admitted());
}

class LoadGenerator::Impl {
 public:
  Impl(const LoadServer& server, std::vector<PreparedRequest> requests, const LoadLimits& limits,
       LoadHooks hooks)
      : server_(asio::ip::make_address(server.address), server.port),
        requests_(std::move(requests)),
        limits_(limits),
        hooks_(std::move(hooks)) {
    XC_CHECK(!requests_.empty() && limits_.max_connections > 0);
  }

  LoadResult RunOpen(const std::vector<Duration>& arrivals, Duration length) {
    arrivals_ = &arrivals;
    next_arrival_ = 0;
    return Run(length, [this] { WaitForArrival(); });
  }

  LoadResult RunClosed(const ClosedLoop& plan) {
    XC_CHECK(plan.clients > 0 && plan.clients <= limits_.max_connections);
    arrivals_ = nullptr;
    think_ = plan.think;
    return Run(plan.length, [this, clients = plan.clients] {
      for (std::size_t i = 0; i < clients; ++i) ClientSendsAfter(Duration(0));
    });
  }

 private:
  using ConnectionPtr = std::shared_ptr<ClientConnection>;
  struct Sent {
    TimePoint intended;
    TimePoint at;         // actually
    Duration deadline{};  // counted from `at`; 0 = none
  };

  bool open_loop() const { return arrivals_ != nullptr; }

  template <class Start>
  LoadResult Run(Duration length, Start start) {
    result_ = LoadResult();
    result_.length = length;
    result_.peak_connections = total_;
    next_request_ = 0;
    failed_ = 0;
    io_.restart();
    start_ = std::chrono::steady_clock::now() + kStartDelay;
    start();
    WaitForProgress();
    CheckDone();
    io_.run();
    progress_timer_.cancel();
    return std::move(result_);
  }

  // Open loop: sleeps until the next intended send, then lets all that are due fall due.
  void WaitForArrival() {
    if (next_arrival_ == arrivals_->size()) return CheckDone();
    arrival_timer_.expires_at(start_ + (*arrivals_)[next_arrival_]);
    arrival_timer_.async_wait([this](error_code) {
      const TimePoint now = std::chrono::steady_clock::now();
      while (next_arrival_ < arrivals_->size() && start_ + (*arrivals_)[next_arrival_] <= now) {
        FallDue(start_ + (*arrivals_)[next_arrival_++], now);
      }
      WaitForArrival();
    });
  }

  // Closed loop: one client's next request, unless the run's time is over.
  void ClientSendsAfter(Duration pause) {
    ++thinking_;
    auto timer = std::make_shared<asio::steady_timer>(io_);
    timer->expires_at(std::max(std::chrono::steady_clock::now(), start_) + pause);
    timer->async_wait([this, timer](error_code) {
      --thinking_;
      const TimePoint now = std::chrono::steady_clock::now();
      if (now < start_ + result_.length) {
        FallDue(now, now);
      } else {
        CheckDone();
      }
    });
  }

  void FallDue(TimePoint intended, TimePoint now) {
    ++result_.offered;
    ++outstanding_;
    pending_.push_back(intended);
    Pump(now);
    OpenConnections(now, open_loop() ? kSpareConnections : 0);
    if (open_loop()) {
      // First come, first served: if anything still waits, the newest does.
      const bool held = pending_.size() > connecting_ && total_ >= limits_.max_connections;
      const bool late = now - intended > limits_.late;
      result_.held += held ? 1 : 0;
      result_.late += late ? 1 : 0;
      result_.behind += held || late ? 1 : 0;
    }
    if (hooks_.on_due) hooks_.on_due(result_.offered);
  }

  // Gives waiting requests to idle connections, the most recently used first.
  void Pump(TimePoint now) {
    while (!pending_.empty()) {
      const TimePoint intended = pending_.front();
      if (now >= intended + limits_.timeout) {
        pending_.pop_front();
        Fail("unsent", Duration(0));
        continue;
      }
      if (idle_.empty()) break;
      ConnectionPtr connection = std::move(idle_.back());
      idle_.pop_back();
      if (now - connection->idle_since > kMaxIdle) {
        connection->Close();
        --total_;
        continue;
      }
      pending_.pop_front();
      Send(intended, connection, now);
    }
  }

  void OpenConnections(TimePoint now, std::size_t spare) {
    while (connecting_ + idle_.size() < pending_.size() + spare &&
           total_ < limits_.max_connections) {
      ++connecting_;
      ++total_;
      ++result_.connections_opened;
      result_.peak_connections = std::max(result_.peak_connections, total_);
      auto connection = std::make_shared<ClientConnection>(io_, server_);
      connection->Open(now + limits_.timeout,
                       [this, connection](error_code error) { OnOpened(connection, error); });
    }
  }

  void OnOpened(const ConnectionPtr& connection, error_code error) {
    const TimePoint now = std::chrono::steady_clock::now();
    --connecting_;
    if (error) {
      --total_;
      // The connection was opened for the request that waits longest.
      if (!pending_.empty()) {
        pending_.pop_front();
        Fail("connect: " + error.message(), kReconnectPause);
      }
    } else {
      connection->idle_since = now;
      idle_.push_back(connection);
    }
    Pump(now);
    OpenConnections(now, 0);  // no spares here: a refusing server would be hammered
  }

  void Send(TimePoint intended, const ConnectionPtr& connection, TimePoint now) {
    result_.send_lag.Record(now - intended);
    const PreparedRequest& prepared = requests_[next_request_];
    next_request_ = (next_request_ + 1) % requests_.size();
    const Sent sent = {intended, now, prepared.deadline};
    connection->Exchange(prepared, intended + limits_.timeout,
                         [this, sent, connection](const ClientConnection::Answer& answer) {
                           OnAnswer(sent, connection, answer);
                         });
  }

  void OnAnswer(const Sent& sent, const ConnectionPtr& connection,
                const ClientConnection::Answer& answer) {
    const TimePoint now = std::chrono::steady_clock::now();
    if (answer.reusable) {
      connection->idle_since = now;
      idle_.push_back(connection);
    } else {
      --total_;
    }
    if (answer.error) {
      const bool timeout = answer.error == boost::beast::error::timeout;
      Fail(timeout ? "timeout" : "broken: " + answer.error.message(), think_);
    } else if (answer.http_status < 200 || answer.http_status > 299) {
      RecordRefusal(sent, answer.http_status, now);
      const bool refused = answer.http_status == 429 || answer.http_status == 503;
      Fail("http " + std::to_string(answer.http_status),
           refused ? std::max(think_, kRefusedPause) : think_);
    } else {
      const Duration latency = now - sent.intended;
      const Duration limit =
          sent.deadline > Duration(0) ? std::min(sent.deadline, limits_.slo) : limits_.slo;
      ++result_.ok;
      result_.within_slo += latency <= limit ? 1 : 0;
      result_.latency.Record(latency);
      End(now, think_);
    }
    Pump(now);
    OpenConnections(now, 0);
  }

  // The server's clock begins with the first byte, so these count from the actual send.
  void RecordRefusal(const Sent& sent, int http_status, TimePoint now) {
    const Duration took = now - sent.at;
    result_.refusal_latency[http_status].Record(took);
    if (http_status != 504 || sent.deadline <= Duration(0)) return;
    if (took < sent.deadline) {
      ++result_.expired_early;
    } else {
      result_.expiry_lateness.Record(took - sent.deadline);
    }
  }

  void Fail(const std::string& kind, Duration pause) {
    ++result_.failures[kind];
    ++failed_;
    End(std::chrono::steady_clock::now(), pause);
  }

  void End(TimePoint now, Duration pause) {
    --outstanding_;
    result_.elapsed = std::max(result_.elapsed, now - start_);
    if (!open_loop()) ClientSendsAfter(pause);
    CheckDone();
  }

  void CheckDone() {
    const bool planned = open_loop() && next_arrival_ < arrivals_->size();
    if (!planned && outstanding_ == 0 && thinking_ == 0) io_.stop();
  }

  void WaitForProgress() {
    if (!hooks_.on_progress) return;
    progress_timer_.expires_after(std::chrono::seconds(1));
    progress_timer_.async_wait([this](error_code error) {
      if (error) return;
      const Duration elapsed = std::chrono::steady_clock::now() - start_;
      hooks_.on_progress({elapsed, result_.length, result_.offered - outstanding_, failed_});
      WaitForProgress();
    });
  }

  asio::io_context io_{1};  // first: everything below is bound to it
  asio::steady_timer arrival_timer_{io_};
  asio::steady_timer progress_timer_{io_};
  const asio::ip::tcp::endpoint server_;
  const std::vector<PreparedRequest> requests_;
  const LoadLimits limits_;
  const LoadHooks hooks_;

  // Connections; total_ = idle + connecting + busy.
  std::vector<ConnectionPtr> idle_;
  std::size_t connecting_ = 0;
  std::size_t total_ = 0;

  // The run.
  LoadResult result_;
  TimePoint start_;
  const std::vector<Duration>* arrivals_ = nullptr;  // null in closed loop
  std::size_t next_arrival_ = 0;
  Duration think_{};
  std::size_t next_request_ = 0;
  std::deque<TimePoint> pending_;  // intended sends that are due and have no connection
  std::uint64_t outstanding_ = 0;  // pending or sent, and not ended
  std::uint64_t failed_ = 0;
  std::size_t thinking_ = 0;  // closed loop: clients between two requests
};

LoadGenerator::LoadGenerator(const LoadServer& server, std::vector<PreparedRequest> requests,
                             const LoadLimits& limits, LoadHooks hooks)
    : impl_(std::make_unique<Impl>(server, std::move(requests), limits, std::move(hooks))) {}

LoadGenerator::~LoadGenerator() = default;

LoadResult LoadGenerator::RunOpen(const std::vector<Duration>& arrivals, Duration length) {
  return impl_->RunOpen(arrivals, length);
}

LoadResult LoadGenerator::RunClosed(const ClosedLoop& plan) {
  return impl_->RunClosed(plan);
}

}  // namespace xcloud
