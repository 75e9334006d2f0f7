import NIOSSL

/// What is told of a certificate to operators.
enum Certificate {
    /// When the first certificate of a PEM file expires; nil when there is none that can be read, about which who uses it complains.
    static func expiry(ofFile path: String) -> Timestamp? {
        do {
            return try NIOSSLCertificate.fromPEMFile(path).first.map(expiry)
        } catch {
            return nil
        }
    }

    static func expiry(_ certificate: NIOSSLCertificate) -> Timestamp {
        Timestamp(microseconds: Int64(certificate.notValidAfter) * 1_000_000)
    }
}
