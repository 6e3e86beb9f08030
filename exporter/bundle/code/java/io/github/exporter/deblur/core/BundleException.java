package io.github.exporter.deblur.core;

import java.io.IOException;

/** A bundle or a JSON file is not what it should be; the message says where. */
public class BundleException extends IOException {
    private static final long serialVersionUID = 1L;

    public BundleException(String sentence) {
        super(sentence);
    }
}
