import MQTT

extension Client.Options {
    /// What the configuration says about a broker.
    init(_ broker: Configuration.Broker) {
        self.init(
            clientID: broker.clientID, host: broker.address.host, port: broker.address.port, username: broker.username,
            password: broker.password?.reveal,
            keepAliveSeconds: UInt16(broker.keepAlive.components.seconds),
            sessionExpirySeconds: UInt32(broker.sessionExpiry.components.seconds), receiveMaximum: broker.receiveMaximum
        )
        if broker.address.tls {
            tls = Client.TLS(
                caFile: broker.tls.caFile, certificateFile: broker.tls.certificateFile, keyFile: broker.tls.keyFile)
        }
    }
}
