// Session: serves one connection, request after request, until it ends.
#pragma once

#include <memory>

#include "http/asio_types.h"
#include "http/connection.h"
#include "http/server_state.h"

namespace xcloud {

// On the connection's io thread. Returns when the connection carries no more requests; the caller
// closes it. Requests of one connection are answered in order, one at a time.
Task<void> ServeConnection(std::shared_ptr<Connection> connection, WorkerState& worker);

// For a connection over a bound: 503 (max_connections) or 429 (max_connections_per_address) with
// Retry-After, and no more. REQUIRES: not kAdmitted.
Task<void> RefuseConnection(std::shared_ptr<Connection> connection, WorkerState& worker,
                            Admission admission);

}  // namespace xcloud
