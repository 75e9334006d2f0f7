import Foundation
import Synchronization
import WindrowTestSupport

/// An HTTP client that posts one request at a time, and the same again until it is acknowledged.
final class RequestClient: Client, @unchecked Sendable {
    // Sendable unchecked: `model` and the connection are its thread's alone, until `isDone`.
    let name: String
    let counters = ClientCounters()
    private(set) var model = Model()

    private var plan: RequestPlan
    private let port: UInt16
    private let course: Course
    private var connection: HTTPConnection?

    init(name: String, port: UInt16, plan: RequestPlan, course: Course) {
        self.name = name
        self.port = port
        self.plan = plan
        self.course = course
    }

    func start() {
        let thread = Thread { [self] in
            run()
            counters.isDone.store(true, ordering: .releasing)
        }
        thread.start()
    }

    private func run() {
        while !course.isAborted.load(ordering: .acquiring), !course.isEnding.load(ordering: .acquiring) {
            guard course.takesMore else {
                usleep(10_000)
                continue
            }
            let request = plan.next()
            let injection = course.injection.load(ordering: .acquiring)
            for edit in request.edits { model.apply(edit, injection: injection) }
            counters.outstanding.store(1, ordering: .releasing)
            while !course.isAborted.load(ordering: .acquiring), !isAcknowledged(request) { usleep(100_000) }
            counters.acknowledge(request.pointCount, injection: course.injection.load(ordering: .acquiring))
            counters.outstanding.store(0, ordering: .releasing)
            usleep(UInt32(plan.pause() / .microseconds(1)))
        }
    }

    private func isAcknowledged(_ request: RequestPlan.Request) -> Bool {
        do {
            // Long: a request given up here could be accepted later than the one after it.
            let connection = try connection ?? HTTPConnection(port: port, timeout: .seconds(120))
            self.connection = connection
            let response = try connection.post(
                "/demo/api/v1/timeseries" + (request.query.isEmpty ? "" : "?\(request.query)"), request.body)
            switch response.status {
            case 200, 202, 204: return true
            case 422 where request.isPoisoned: return true
            case 408, 429, 500...: return false
            default:
                // Refused for ever: it shows as lost, too.
                course.fail("\(name) was answered \(response.status): \(response.text.prefix(200))")
                return true
            }
        } catch {
            connection = nil
            return false
        }
    }
}
