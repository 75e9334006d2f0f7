import Foundation

/// A headless Chromium, driven by WebDriver (https://www.w3.org/TR/webdriver2/) over HTTP.
public final class Browser {
    private let driver: ChildProcess
    private let connection: HTTPConnection
    private let folder: TemporaryFolder
    private var session = ""

    /// - Parameter width: of the window, in CSS pixels.
    public init(width: Int = 1200, height: Int = 900) throws {
        folder = try TemporaryFolder("windrow-browser")
        let port = try Sandbox.freePort()
        driver = try ChildProcess(
            "chromedriver", ["--port=\(port)"], output: folder.path + "/log", errors: folder.path + "/log")
        connection = try waitUntil("chromedriver listens") { try? HTTPConnection(port: port) }
        let options: [String: Any] = [
            "args": [
                "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=\(folder.path)/profile",
                // Chromium's sandbox does not work for root, nor in most containers.
                "--no-sandbox", "--window-size=\(width),\(height)",
            ]
        ]
        let answer = try call(
            "POST", "/session",
            [
                "capabilities": [
                    "alwaysMatch": [
                        "goog:chromeOptions": options, "goog:loggingPrefs": ["browser": "ALL", "performance": "ALL"],
                    ]
                ]
            ])
        guard let id = (answer as? [String: Any])?["sessionId"] as? String else {
            throw FixtureError("chromedriver makes no session: \(answer)")
        }
        session = "/session/\(id)"
    }

    deinit {
        // Ends the browser; the driver ends with the process.
        _ = try? call("DELETE", session)
    }

    public func open(_ address: String) throws {
        try call("POST", session + "/url", ["url": address])
    }

    /// Runs JavaScript in the page; answers what it returns.
    @discardableResult
    public func run(_ script: String) throws -> Any {
        try call("POST", session + "/execute/sync", ["script": script, "args": [String]()])
    }

    /// The text of the first element that a CSS selector finds; empty when there is none.
    public func text(_ selector: String) throws -> String {
        try run("return document.querySelector(`\(selector)`)?.innerText ?? ''") as? String ?? ""
    }

    /// Presses keys, as a person would, on what has the focus.
    public func press(_ keys: String...) throws {
        let actions = keys.flatMap { [["type": "keyDown", "value": $0], ["type": "keyUp", "value": $0]] }
        try call("POST", session + "/actions", ["actions": [["type": "key", "id": "keyboard", "actions": actions]]])
    }

    /// A command of Chromium's own (https://chromedevtools.github.io/devtools-protocol/).
    @discardableResult
    public func command(_ name: String, _ parameters: [String: Any]) throws -> Any {
        try call("POST", session + "/goog/cdp/execute", ["cmd": name, "params": parameters])
    }

    /// What was written to the console since the last time: errors, warnings, what was refused.
    public func console() throws -> [String] {
        try log("browser").compactMap { $0["message"] as? String }
    }

    /// The addresses that were asked for since the last time; Chromium's own pages, such as the one it begins with, are left out.
    public func requests() throws -> [String] {
        try log("performance").compactMap { entry in
            guard let text = entry["message"] as? String,
                let outer = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
                let message = outer["message"] as? [String: Any],
                message["method"] as? String == "Network.requestWillBeSent",
                let parameters = message["params"] as? [String: Any],
                let request = parameters["request"] as? [String: Any]
            else { return nil }
            return (request["url"] as? String).flatMap { $0.hasPrefix("chrome://") ? nil : $0 }
        }
    }

    private func log(_ type: String) throws -> [[String: Any]] {
        try call("POST", session + "/se/log", ["type": type]) as? [[String: Any]] ?? []
    }

    @discardableResult
    private func call(_ method: String, _ path: String, _ body: [String: Any] = [:]) throws -> Any {
        let data = method == "POST" ? try JSONSerialization.data(withJSONObject: body) : Data()
        try connection.socket.send(
            Array(
                "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(data.count)\r\n\r\n"
                    .utf8) + data)
        let response = try connection.response()
        let value = response.json["value"] ?? NSNull()
        guard response.status == 200 else { throw FixtureError("WebDriver \(method) \(path): \(value)") }
        return value
    }
}
