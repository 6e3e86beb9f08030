package io.github.exporter.deblur.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;

/** A bundle in a folder. */
public final class FolderFiles implements BundleFiles {
    private final File folder;

    public FolderFiles(File folder) {
        this.folder = folder;
    }

    @Override
    public InputStream open(String file) throws IOException {
        return new FileInputStream(new File(folder, file));
    }

    @Override
    public ModelFile model(String file) {
        return new DiskModel(new File(folder, file));
    }

    @Override
    public String name() {
        return folder.getName();
    }
}
