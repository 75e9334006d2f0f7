import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Accepts the connections of clients, at an address of its own or on a socket that it was passed.
///
/// It does what Hummingbird's server does, which always takes an address itself.
struct Listener<Connection: ServerChildChannel>: Sendable {
    private let server: NIOAsyncChannel<Connection.Value, Never>
    private let quiescing: ServerQuiescingHelper
    private let connection: Connection
    private let log: Logger

    /// Begins to listen. Whoever connects waits for `serve`.
    /// - Parameter maxConnections: that are open at once; further ones wait to be accepted.
    init(
        at address: Configuration.BridgeAddress, passed: PassedSocket?, maxConnections: Int, connection: Connection,
        log: Logger
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let quiescing = ServerQuiescingHelper(group: group)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        AvailableConnectionsChannelHandler(
                            delegate: MaximumAvailableConnections(maxConnections, logger: log)),
                        quiescing.makeServerChannelHandler(channel: channel),
                    ])
                }
            }
        let setUp: @Sendable (any Channel) -> EventLoopFuture<Connection.Value> = { channel in
            connection.setup(channel: channel, logger: log)
        }
        switch (passed, address) {
        case (let passed?, _):
            server = try await bootstrap.bind(passed.descriptor, childChannelInitializer: setUp)
            // NIO has shortened the queue, which outlives this process: it is full length that a restart needs.
            listen(passed.descriptor, SOMAXCONN)
        case (nil, .tcp(let address)):
            server = try await bootstrap.bind(
                host: address.host, port: Int(address.port), childChannelInitializer: setUp)
        case (nil, .unix(let path)):
            server = try await bootstrap.bind(
                unixDomainSocketPath: path, cleanupExistingSocketFile: true, childChannelInitializer: setUp)
        }
        self.quiescing = quiescing
        self.connection = connection
        self.log = log
    }

    /// Where clients reach it.
    var address: SocketAddress? { server.channel.localAddress }

    /// Until a graceful shutdown: no connection is accepted any more then, and those that are open end with the answer that they wait for.
    func serve() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                try await server.executeThenClose { connections in
                    for try await value in connections {
                        group.addTask { await connection.handle(value: value, logger: log) }
                    }
                }
            }
        } onGracefulShutdown: {
            quiescing.initiateShutdown(promise: nil)
        }
    }
}
