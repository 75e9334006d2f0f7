import Foundation
import Testing

@testable import Windrow

@Suite struct ProblemTests {
    static let statuses: [(Rejection.Reason, Int)] = [
        (.badNode, 400), (.badTag, 400), (.emptyPayload, 400), (.invalidUTF8, 400), (.malformedJSON, 400),
        (.tooDeep, 400),
        (.wrongShape, 400), (.badValue, 400), (.badTimestamp, 400), (.badOverwrite, 400), (.badWindow, 400),
        (.outsideWindow, 400), (.wrongTopic, 400), (.unknownNode, 404), (.tooLarge, 413), (.timestampOutOfBounds, 422),
        (.windowTooLong, 422), (.refusedByDatabase, 422), (.journalDamaged, 500),
    ]

    @Test("each reason to reject has its status")
    func reasons() {
        #expect(Set(Self.statuses.map(\.0)) == Set(Rejection.Reason.allCases))
        for (reason, status) in Self.statuses { #expect(Problem(Rejection(reason, "no")).status.code == status) }
    }

    @Test("the body has the members of RFC 9457, and the place where there is one")
    func body() throws {
        let (head, body) = Problem(Rejection(.badValue, "v is \"a\"\n", pointer: "/0/data/2/v")).lastAnswer
        let members = try #require(
            try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any])
        #expect(Set(members.keys) == ["type", "title", "status", "detail", "pointer"])
        #expect(members["type"] as? String == "urn:windrow:problem:bad_value")
        #expect(members["title"] as? String == "Bad Request")
        #expect(members["status"] as? Int == 400)
        #expect(members["detail"] as? String == "v is \"a\"\n")
        #expect(members["pointer"] as? String == "/0/data/2/v")
        #expect(head.headerFields[.contentType] == "application/problem+json")
        #expect(head.headerFields[.contentLength] == "\(body.readableBytes)")
        #expect(head.headerFields[.connection] == "close")
    }

    @Test("whatever the journal cannot take now is 503 and worth another try")
    func journal() {
        for error in [JournalError.noRoom, .closing] {
            let response = Problem(error).response
            #expect(response.status.code == 503)
            #expect(response.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 0)
        }
        #expect(Problem.tooManyRequests("many").response.headers[.retryAfter] == "1")
    }
}
