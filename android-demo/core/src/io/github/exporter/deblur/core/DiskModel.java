package io.github.exporter.deblur.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** A model in the file system. */
public final class DiskModel extends ModelFile {
    public DiskModel(File file) {
        super(file.getPath(), false);
    }

    @Override
    public InputStream open() throws IOException {
        return new FileInputStream(path);
    }
}
