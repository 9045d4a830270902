// ClientConnection: one keep-alive HTTP/1.1 connection of the load generator.
//
// It reads while it still writes, so an early refusal (429 before the body was read) is seen and
// not lost to a reset. Not thread-safe: everything happens on the io_context's one thread.
// Invariants: one Open or Exchange at a time; each calls back exactly once, never inline.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "bench/prepared_request.h"
#include "core/clock.h"

namespace xcloud {

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  struct Answer {
    boost::system::error_code error;  // set = no whole answer came
    int http_status = 0;
    bool reusable = false;  // may carry another request; else the connection is closed
  };

  ClientConnection(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& server);

  void Open(TimePoint deadline, std::function<void(boost::system::error_code)> opened);
  // `request` must live until the callback. A deadline that passes ends the exchange with
  // beast::error::timeout and closes the connection.
  void Exchange(const PreparedRequest& request, TimePoint deadline,
                std::function<void(const Answer&)> answered);
  void Close();

  TimePoint idle_since;  // kept by the owner

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  const boost::asio::ip::tcp::endpoint server_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  std::unique_ptr<Parser> parser_;
  bool write_done_ = false;
};

}  // namespace xcloud
