import Foundation
import LibPQ
import Testing
import WindrowTestSupport

/// The page in a browser, as a person uses it.
@Suite struct StatusPageTests {
    private enum Key {
        static let enter = "\u{E007}"
        static let left = "\u{E012}"
        static let right = "\u{E014}"
    }

    @Test("the page shows what lives and what is silent, finds and draws series, and says when the daemon is gone")
    func page() throws {
        let station = try Station(domain: "    silent_after: 1s")
        try station.daemon.startAndWait()
        for count in 1...12 {
            try station.publisher.publish("\(count)", on: "\(station.root)/1/steady")
            try waitUntil("it is stored") { try station.stored(tag: "steady").count == count }
        }
        try Connection(station.database, applicationName: "windrow tests").execute(
            "INSERT INTO windrow.point SELECT 1, now() - n * interval '2 minutes', n * 100 FROM generate_series(1, 3) n"
        )
        try station.publisher.publish("7", on: "\(station.root)/2/once")
        try station.publisher.publish(
            "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\u{1b}[31m\u{7}",
            on: "\(station.root)/1/t")
        try station.publisher.publish("1", on: "\(station.root)/<img src=x onerror=alert(1)>/t")

        let browser = try Browser()
        let origin = "http://127.0.0.1:\(station.daemon.adminPort)/"
        try browser.open(origin)
        func wait(_ what: String, _ selector: String, _ text: String) throws {
            do {
                try waitUntil(what, timeout: .seconds(20), every: .milliseconds(50)) {
                    try browser.text(selector).contains(text)
                }
            } catch {
                throw FixtureError("\(error): \(try browser.text(selector))\n\(try browser.console())")
            }
        }
        try wait("everything works", "#state", "everything works")
        try wait("the domain is named", "#domain", "demo")
        try wait("figures are live", "#figures figure:nth-child(1) strong", "/s in, ")
        #expect(try browser.text("#parts").components(separatedBy: "✓ works").count == 4)
        #expect(try browser.run("return document.querySelectorAll('#figures svg[aria-label]').length") as? Int == 4)

        // Silent ones first.
        try wait("a series is silent", "#series tbody tr:nth-child(1)", "silent")
        try wait("it is named", "#series tbody tr:nth-child(1)", "steady")
        try wait("the other is not", "#series tbody tr:nth-child(2)", "new")
        try wait("they are counted", "#series-counts", "1 silent of 2")

        // A click, and keys.
        try browser.run("document.querySelector('#series button').click()")
        try wait("its points are drawn", ".panel", "15 points from")
        #expect(
            try browser.run("return document.querySelector('.panel svg .mean').getAttribute('d').length > 20") as? Bool
                == true)
        #expect(try browser.text(".panel .pace").contains("Silent: nothing new has come for"))
        try browser.run("document.querySelector('.panel svg').focus()")
        try browser.press(Key.right)
        try wait("the last points are read out", ".panel .readout", "12")
        // The first of all: as many steps back as there are points at most.
        for _ in 0..<15 { try browser.press(Key.left) }
        try wait("the first one is read out", ".panel .readout", ": 300")
        try browser.run("document.querySelector('#series button').focus()")
        try browser.press(Key.enter)
        try waitUntil("it is closed") { try browser.text(".panel").isEmpty }
        try browser.run("document.querySelector('#search').focus()")
        try browser.press("o", "n", "c")
        try waitUntil("one is found", timeout: .seconds(10)) {
            try browser.run("return [...document.querySelectorAll('#series tbody button')].map((b) => b.textContent)")
                as? [String]
                == ["once"]
        }

        // Whatever was sent is text.
        try wait("dead letters are there", "#letters", "malformed_json")
        try browser.run("document.querySelectorAll('details').forEach((details) => details.open = true)")
        try wait("a payload is shown", "#letters", "<script>window.hacked = 1</script>")
        #expect(try browser.text("#letters").contains(#"\u{1b}[31m\u{7}"#))
        #expect(try browser.text("#letters").contains("\(station.root)/<img src=x onerror=alert(1)>/t"))
        #expect(
            try browser.run("return document.querySelectorAll('#letters img, #letters script').length") as? Int == 0)
        #expect(try browser.run("return window.hacked === undefined") as? Bool == true)

        // On a phone nothing sticks out.
        try browser.command(
            "Emulation.setDeviceMetricsOverride",
            ["width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true])
        #expect(try browser.run("return document.documentElement.scrollWidth") as? Int == 360)

        #expect(try browser.console() == [])
        let foreign = try browser.requests().filter { !$0.hasPrefix(origin) && !$0.hasPrefix("data:") }
        #expect(foreign == [])

        try station.daemon.stop()
        try wait("it says that the daemon is gone", "#lost", "No answer from the daemon since")
        #expect(try browser.text("#state").isEmpty)
        try station.daemon.startAndWait()
        try wait("it goes on by itself", "#state", "everything works")
        #expect(try browser.run("return document.querySelector('#lost').hidden") as? Bool == true)
    }

    @Test(
        "what is asked for is shown at once, and points that come after the last look at the daemon are not of the future"
    )
    func prompt() throws {
        let station = try Station(
            subscription: "  other:\n    postgres: host=127.0.0.1 port=1 dbname=none\n    keys_file: other.keys")
        try station.daemon.start()
        let browser = try Browser()
        try browser.open("http://127.0.0.1:\(station.daemon.adminPort)/")
        try waitUntil("a domain fails", timeout: .seconds(20)) {
            try browser.text("#domains-counts") == "1 of 2 fails, and comes first."
        }
        try browser.command(
            "Emulation.setDeviceMetricsOverride",
            ["width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true])
        let lines = try browser.run(
            """
            return [...document.querySelectorAll('#domains thead th')].filter((cell) => cell.offsetParent).map((cell) => {
              const range = document.createRange();
              range.selectNodeContents(cell);
              return range.getClientRects().length;
            })
            """)
        #expect(lines as? [Int] == [1, 1, 1, 1], "no word is cut")
        let overlap = "const box = document.querySelector('#domains .scroll'); return box.scrollWidth - box.clientWidth"
        #expect(try browser.run(overlap) as? Int == 0)

        // From now on the page asks for nothing by itself.
        try browser.run("window.setTimeout = () => 0")
        try browser.run("location.hash = 'other'")
        try waitUntil("another domain is shown") {
            try browser.text("#domain") == "Domain other" && browser.text("#parts .failing").contains("PostgreSQL")
        }
        try browser.run("location.hash = '%'")
        try waitUntil("what is no domain stands for the first one") { try browser.text("#domain") == "Domain demo" }
        #expect(try browser.run("return document.querySelector('#lost').hidden") as? Bool == true)

        try browser.run(
            """
            const ask = window.fetch;
            window.fetch = (address, options) => address.startsWith('api/status') ? new Promise(() => {}) : ask(address, options)
            """)
        let lastLook = ContinuousClock.now
        try waitUntil("that is some time ago") { .now - lastLook > .seconds(2) }
        try station.publisher.publish("5", on: "\(station.root)/1/late")
        try waitUntil("the new point is shown", timeout: .seconds(20)) {
            try browser.run("document.querySelector('#order').dispatchEvent(new Event('change'))")
            return try browser.text("#series tbody").contains("late")
        }
        let age = try browser.text("#series tbody td:nth-child(6)")
        #expect(age.wholeMatch(of: /\d+ s/) != nil, "\(age)")
        #expect(try browser.console() == [])
    }

    @Test("with PostgreSQL away the page says what fails, and shows the rest")
    func outage() throws {
        let sandbox = try Sandbox()
        let station = try Station(sandbox: sandbox)
        try station.daemon.startAndWait()
        try station.publisher.publish("5", on: "\(station.root)/1/t")
        try waitUntil("it is stored") { try station.count() == 1 }
        try sandbox.stop(.postgres)
        // A series that is looked up finds out at once.
        try station.publisher.publish("5", on: "\(station.root)/2/u")
        let browser = try Browser()
        try browser.open("http://localhost:\(station.daemon.adminPort)/")
        try waitUntil("the failure is told", timeout: .seconds(20)) {
            try browser.text("#parts .failing").contains("PostgreSQL ✕ fails")
        }
        #expect(try browser.text("#state").contains("1 part does not work"))
        try waitUntil("the series is there without its name", timeout: .seconds(10)) {
            try browser.text("#series tbody tr").contains("series 1")
        }
        #expect(try browser.text("#series-note").contains("PostgreSQL cannot be asked just now"))
        try browser.run("document.querySelector('#series button').click()")
        try waitUntil("its points are missing", timeout: .seconds(10)) {
            try browser.text(".panel").contains("PostgreSQL cannot be asked just now")
        }
        try sandbox.start(.postgres)
        try waitUntil("all is well again", timeout: .seconds(20)) {
            try browser.text("#state").contains("everything works")
        }
        try waitUntil("the names are there", timeout: .seconds(20)) {
            let names = try browser.run(
                "return [...document.querySelectorAll('#series tr:not(.panel) button')].map((b) => b.textContent).sort()"
            )
            return names as? [String] == ["t", "u"]
        }
    }
}
