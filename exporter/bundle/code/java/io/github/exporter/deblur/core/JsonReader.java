package io.github.exporter.deblur.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON (RFC 8259): objects as maps in their order, lists, String, Boolean, Long or Double, null. */
final class JsonReader {
    private static final int DEEPEST = 100;

    private final String text;
    private int at;
    private int depth;

    private JsonReader(String text) {
        this.text = text;
    }

    /** @throws BundleException with the place when {@code text} is not exactly one JSON value */
    static Object read(String text) throws BundleException {
        JsonReader reader = new JsonReader(text);
        Object value = reader.value();
        reader.skipBlanks();
        if (reader.at < text.length()) {
            throw reader.wrong("more after the end");
        }
        return value;
    }

    private Object value() throws BundleException {
        skipBlanks();
        if (++depth > DEEPEST) {
            throw wrong("nested too deeply");
        }
        Object value = valueAt(peek());
        depth--;
        return value;
    }

    private Object valueAt(char first) throws BundleException {
        switch (first) {
            case '{':
                return object();
            case '[':
                return list();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() throws BundleException {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        at++;
        skipBlanks();
        if (peek() == '}') {
            at++;
            return map;
        }
        while (true) {
            skipBlanks();
            String key = string();
            skipBlanks();
            expect(':');
            map.put(key, value());
            skipBlanks();
            if (peek() == '}') {
                at++;
                return map;
            }
            expect(',');
        }
    }

    private List<Object> list() throws BundleException {
        List<Object> list = new ArrayList<Object>();
        at++;
        skipBlanks();
        if (peek() == ']') {
            at++;
            return list;
        }
        while (true) {
            list.add(value());
            skipBlanks();
            if (peek() == ']') {
                at++;
                return list;
            }
            expect(',');
        }
    }

    private String string() throws BundleException {
        expect('"');
        StringBuilder made = new StringBuilder();
        while (peek() != '"') {
            char c = text.charAt(at++);
            if (c < ' ') {
                throw wrong("a control character in a string");
            }
            made.append(c == '\\' ? escaped() : c);
        }
        at++;
        return made.toString();
    }

    private char escaped() throws BundleException {
        char c = peek();
        at++;
        int plain = "\"\\/bfnrt".indexOf(c);
        if (plain >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(plain);
        }
        if (c != 'u' || at + 4 > text.length() || !text.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
            throw wrong("an unknown escape");
        }
        at += 4;
        return (char) Integer.parseInt(text.substring(at - 4, at), 16);
    }

    private Object word(String word, Object value) throws BundleException {
        if (!text.startsWith(word, at)) {
            throw wrong("no JSON value");
        }
        at += word.length();
        return value;
    }

    private Object number() throws BundleException {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String number = text.substring(start, at);
        if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
            at = start;
            throw wrong("no JSON value");
        }
        if (number.matches("-?[0-9]{1,18}")) {
            return Long.valueOf(number);
        }
        return Double.valueOf(number);
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() throws BundleException {
        if (at >= text.length()) {
            throw wrong("ends too early");
        }
        return text.charAt(at);
    }

    private void expect(char c) throws BundleException {
        if (peek() != c) {
            throw wrong("'" + c + "' is wanted");
        }
        at++;
    }

    private BundleException wrong(String what) {
        return new BundleException("JSON, character " + at + ": " + what);
    }
}
