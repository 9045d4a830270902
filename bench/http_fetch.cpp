#include "bench/http_fetch.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace xcloud {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = boost::asio::ip::tcp;

namespace {

// Beast's timeouts only work on asynchronous operations, so each runs on a private loop.
error_code Connect(asio::io_context& io, beast::tcp_stream& stream, const tcp::endpoint& endpoint,
                   Duration timeout) {
  error_code result;
  stream.expires_after(timeout);
  stream.async_connect(endpoint, [&](error_code error) { result = error; });
  io.restart();
  io.run();
  return result;
}

}  // namespace

Result<LoadServer> FindServer(const TargetUrl& target, bool allow_remote, Duration timeout) {
  asio::io_context io;
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(target.host, target.port, error);
  if (error || found.empty()) {
    return Status::NotFound("the host " + target.host + " has no address: " + error.message());
  }
  std::string why;
  for (const auto& entry : found) {
    const tcp::endpoint endpoint = entry.endpoint();
    if (!allow_remote && !endpoint.address().is_loopback()) {
      return Status(StatusCode::kPermissionDenied, target.host + " is not this machine (" +
                                                       endpoint.address().to_string() +
                                                       "); add --allow-remote if you may load it");
    }
    beast::tcp_stream stream(io);
    error = Connect(io, stream, endpoint, timeout);
    if (!error) return LoadServer{endpoint.address().to_string(), endpoint.port()};
    why = error.message();
  }
  return Status::Unavailable("nothing answers at " + target.authority + " (" + why +
                             "); start it with `xcloud serve`");
}

Result<std::string> FetchText(const LoadServer& server, std::string_view path, Duration timeout) {
  asio::io_context io;
  beast::tcp_stream stream(io);
  const tcp::endpoint endpoint(asio::ip::make_address(server.address), server.port);
  if (const error_code error = Connect(io, stream, endpoint, timeout)) {
    return Status::Unavailable("cannot connect: " + error.message());
  }
  http::request<http::empty_body> request(http::verb::get,
                                          beast::string_view(path.data(), path.size()), 11);
  request.set(http::field::host, server.address);
  request.set(http::field::user_agent, "xcloud-bench");
  request.set(http::field::connection, "close");
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(std::uint64_t{16} << 20);
  error_code result;
  stream.expires_after(timeout);
  http::async_write(stream, request, [&](error_code error, std::size_t) {
    result = error;
    if (error) return;
    http::async_read(stream, buffer, parser,
                     [&](error_code read_error, std::size_t) { result = read_error; });
  });
  io.restart();
  io.run();
  if (result) return Status::Unavailable("no answer: " + result.message());
  const int code = static_cast<int>(parser.get().result_int());
  const std::string shown =
      "the server answers " + std::to_string(code) + " to " + std::string(path);
  if (code == 404) return Status::NotFound(shown);
  if (code != 200) return Status::Unavailable(shown);
  return std::move(parser.get().body());
}

}  // namespace xcloud
