// From what was read to what it asks for, the same for messages and requests.

extension Payload {
    /// The edit that the payload is in a mode.
    /// - Parameter stream: the rule of the subscription if that states the mode: without an explicit window the edit's range is then
    ///   left to acceptance.
    func action(_ mode: Overwrite, stream: StreamRule? = nil) throws(Rejection) -> EditAction {
        if mode != .replaceWindow, window != nil {
            throw Rejection(
                .badWindow, "a window goes with overwrite replace_window only, and here overwrite is \(mode.rawValue)",
                pointer: place.pointer(toField: "window"))
        }
        guard let range = window ?? span else {
            throw Rejection(
                .wrongShape, "there are no points; only an explicit window may be empty, to delete what is in it",
                pointer: place.listPointer)
        }
        switch mode {
        case .insert: return .insert
        case .updateWindow: return .update
        case .replaceWindow:
            if window == nil, let stream { return .stream(stream) }
            return .replace(range)
        }
    }
}

extension Payload {
    /// The pointer to the `ts` of a point; to the point itself where there is none, and the time of receipt stands in for it.
    fileprivate func pointer(toTimestampOf index: Int) -> String {
        place.pointer(toPoint: index, field: points[index].timestamp == stampedAt ? nil : "ts")
    }
}

extension Guards {
    /// Bounds: of each point, of the explicit window, and of what is to be replaced.
    func check(_ payload: Payload, _ action: EditAction, at now: Timestamp) throws(Rejection) {
        let place = payload.place
        if let window = payload.window {
            try check(window.first, at: now, as: "start", pointer: place.pointer(toField: "window/start"))
            try check(window.last, at: now, as: "end", pointer: place.pointer(toField: "window/end"))
            try check(window: window, pointer: place.pointer(toField: "window"))
        }
        guard let span = payload.span else { return }
        // Only when one is out of bounds does it matter which.
        if !admits(span.first, at: now) || !admits(span.last, at: now) {
            for index in payload.points.indices {
                try check(payload.points[index].timestamp, at: now, pointer: payload.pointer(toTimestampOf: index))
            }
        }
        if let window = payload.window, !window.contains(span.first) || !window.contains(span.last) {
            for index in payload.points.indices where !window.contains(payload.points[index].timestamp) {
                throw Rejection(
                    .outsideWindow,
                    "ts \(payload.points[index].timestamp) is outside the window from \(window.first) to \(window.last)",
                    pointer: payload.pointer(toTimestampOf: index))
            }
        }
        switch action {
        case .insert, .update: break
        case .replace, .stream: try check(window: span, pointer: place.listPointer)
        }
    }
}
