import Synchronization

/// The numbers of the nodes that writers named by UUID, as far as the catalog has looked them up.
final class NodeIdentities: Sendable {
    private struct State {
        var ids: [NodeUUID: NodeID] = [:]
        var renumberings = 0
    }

    private let state = Mutex(State())

    func id(of uuid: NodeUUID) -> NodeID? {
        state.withLock { $0.ids[uuid] }
    }

    func learn(_ uuid: NodeUUID, is id: NodeID) {
        state.withLock { state in
            if let known = state.ids.updateValue(id, forKey: uuid), known != id { state.renumberings += 1 }
        }
    }

    /// How often a node was found to have another number than before: a failover had lost it, and it was made anew.
    var renumberings: Int { state.withLock { $0.renumberings } }
}
