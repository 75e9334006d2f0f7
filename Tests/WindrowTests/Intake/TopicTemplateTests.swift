import Testing

@testable import Windrow

@Suite struct TopicTemplateTests {
    private static func match(_ template: String, _ topic: String) throws -> [String]? {
        let template = try TopicTemplate(template)
        return Array(topic.utf8).withUnsafeBytes { topic in
            template.match(topic).map {
                [String(decoding: $0.node, as: UTF8.self), String(decoding: $0.tag, as: UTF8.self)]
            }
        }
    }

    @Test(
        "the node and the tag are the levels at their places",
        arguments: [
            ("nodes/{node}/{tag}", "nodes/7/temp", ["7", "temp"]),
            ("{node}/{tag}", "7/temp", ["7", "temp"]),
            ("{tag}/of/{node}", "temp/of/7", ["7", "temp"]),
            ("a/+/{node}/+/{tag}/z", "a/whatever/7//temp/z", ["7", "temp"]),
            ("/{node}/{tag}/", "/7/temp/", ["7", "temp"]),
            ("$share/group/nodes/{node}/{tag}", "nodes/7/temp", ["7", "temp"]),
            ("$SYS/{node}/{tag}", "$SYS/7/temp", ["7", "temp"]),
            ("größe/{node}/{tag}", "größe/7/温度", ["7", "温度"]),
            // Empty levels match; that they name nothing is for their parsers to say.
            ("nodes/{node}/{tag}", "nodes//", ["", ""]),
            ("+/{node}/{tag}", "/7/temp", ["7", "temp"]),
        ])
    func matches(template: String, topic: String, names: [String]) throws {
        #expect(try Self.match(template, topic) == names)
    }

    @Test(
        "a topic with other levels, or more or fewer, is not the template's",
        arguments: [
            ("nodes/{node}/{tag}", "nodes/7"), ("nodes/{node}/{tag}", "nodes/7/temp/"),
            ("nodes/{node}/{tag}", "nodes/7/temp/x"),
            ("nodes/{node}/{tag}", "node/7/temp"), ("nodes/{node}/{tag}", "nodes2/7/temp"),
            ("nodes/{node}/{tag}", "Nodes/7/temp"),
            ("nodes/{node}/{tag}", ""), ("nodes/{node}/{tag}", "/nodes/7/temp"),
            ("nodes/{node}/{tag}/end", "nodes/7/temp/en"),
            ("nodes/{node}/{tag}/end", "nodes/7/temp/ends"),
            ("$share/group/nodes/{node}/{tag}", "$share/group/nodes/7/temp"),
            ("+/{node}/{tag}", "$SYS/7/temp"), ("{node}/{tag}", "$SYS/temp"), ("{tag}/{node}", "$SYS/7"),
        ])
    func doesNotMatch(template: String, topic: String) throws {
        #expect(try Self.match(template, topic) == nil)
    }

    @Test(
        "the filter has plus signs in place of the names, and keeps the share",
        arguments: [
            ("nodes/{node}/{tag}", "nodes/+/+"), ("$share/g/a/{tag}/+/{node}", "$share/g/a/+/+/+"),
            ("/{node}/{tag}", "/+/+"), ("$SYS/{node}/{tag}", "$SYS/+/+"),
            // A slash with an accent is a slash to MQTT.
            ("a/\u{301}/{node}/\u{301}/{tag}", "a/\u{301}/+/\u{301}/+"),
        ])
    func filter(template: String, filter: String) throws {
        #expect(try TopicTemplate(template).filter == filter)
        #expect(try TopicTemplate(template).text == template)
    }

    @Test(
        "a text that is no template is refused with what was expected",
        arguments: [
            ("", "nodes/{node}/{tag}"), ("nodes/{node}", "{tag} must be one level"),
            ("nodes/{tag}", "{node} must be one level"),
            ("nodes/+/+", "{node} must be one level"), ("{node}/{node}/{tag}", "{node} must be one level"),
            ("{tag}/{node}/{tag}", "is 2"), ("nodes/{node}/{tag}/#", "# is not allowed"),
            ("n#/{node}/{tag}", "# is not allowed"),
            ("nodes/n{node}/{tag}", "whole level"), ("nodes/{node}/{tag}x", "whole level"),
            ("no+des/{node}/{tag}", "whole level"),
            ("nodes/{id}/{tag}", "placeholders"), ("{Node}/{tag}", "placeholders"),
            ("+\u{301}/{node}/{tag}", "whole level"), ("{node}\u{301}/{tag}", "placeholders"),
            ("nodes}/{node}/{tag}", "placeholders"),
            ("$share", "$share/group"), ("$share/g", "$share/group"), ("$share//{node}/{tag}", "$share/group"),
            ("$share/g/", "$share/group"), ("$share/g+/{node}/{tag}", "$share/group"),
            ("$share/{node}/{tag}", "$share/group"),
            ("nodes\u{0}/{node}/{tag}", "control character"), ("nodes\n/{node}/{tag}", "control character"),
            (String(repeating: "x", count: 65_530) + "/{node}/{tag}", "65535"),
        ])
    func refuses(text: String, expected: String) {
        #expect {
            try TopicTemplate(text)
        } throws: { error in
            (error as? TopicTemplateError)?.message.contains(expected) == true
        }
    }
}
