package io.github.exporter.deblur.core;

/** An engine refused a model, crashed, or gave no usable answer; the message is one sentence for the screen. */
public class EngineException extends Exception {
    private static final long serialVersionUID = 1L;

    public EngineException(String sentence) {
        super(sentence);
    }

    public EngineException(String sentence, Throwable cause) {
        super(sentence, cause);
    }
}
