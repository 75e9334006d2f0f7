import Synchronization

/// The numbers of the nodes that writers named by UUID, as far as the catalog has looked them up.
final class NodeIdentities: Sendable {
    private let ids = Mutex<[NodeUUID: NodeID]>([:])

    func id(of uuid: NodeUUID) -> NodeID? {
        ids.withLock { $0[uuid] }
    }

    func learn(_ uuid: NodeUUID, is id: NodeID) {
        ids.withLock { $0[uuid] = id }
    }
}
